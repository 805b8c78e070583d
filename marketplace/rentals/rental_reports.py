"""This will answer what renters reported of their rentals, and what staff said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef

from marketplace.domain.problem import Refused
from marketplace.domain.rental_report import ReportState
from marketplace.keyset import RowPage, newest_first
from marketplace.metering.models import Meter
from marketplace.rentals.models import RentalReport

ROWS_MAX = 50


class ReportUnknown(Refused):
    """There is no such report, or it is somebody else's."""

    code = "not_found"
    status = 404
    sentence = "You reported nothing about such a rental."


@dataclass(frozen=True, slots=True)
class Credited:
    """What came back for a report."""

    at: datetime
    report_id: UUID
    microusd: int


def newest(rental_id: UUID) -> RentalReport | None:
    """Return the report of a rental that waits, or else the newest; None: there is none."""
    rows = RentalReport.objects.filter(rental_id=rental_id)
    return rows.order_by(F("closed_at").desc(nulls_first=True), "-made_at", "id").first()


def of_rental(rental_id: UUID, renter_id: int) -> RentalReport:
    """Return the newest report of this renter's rental, also of one that left their list.

    :raises ReportUnknown: when there is none.
    """
    found = newest(rental_id)
    if found is None or found.renter_id != renter_id:
        raise ReportUnknown
    return found


def of_renter(renter_id: int, *, after: UUID | None = None) -> RowPage[RentalReport]:
    """Return a page of the renter's reports, newest first.

    :raises CursorUnknown: when ``after`` is none of them.
    """
    rows = RentalReport.objects.filter(renter_id=renter_id).select_related("rental__placement")
    return newest_first(rows, at="made_at", after=after, rows_max=ROWS_MAX)


def taken(
    host_id: int, *, after: UUID | None = None, rows_max: int | None = None
) -> RowPage[RentalReport]:
    """Return a page of what staff gave back out of this host's earnings, newest first.

    ``rows_max``: None: as many as a page of the API has.

    :raises CursorUnknown: when ``after`` is none of them.
    """
    # Asked of each report, so that none looks through all that the host ever let.
    earned_by_host = Meter.objects.filter(id=OuterRef("rental__meter_id"), host_id=host_id)
    rows = RentalReport.objects.filter(
        Exists(earned_by_host), host_microusd__gt=0, closed_at__isnull=False
    ).select_related("rental__placement")
    return newest_first(rows, at="closed_at", after=after, rows_max=rows_max or ROWS_MAX)


def credited(rental_id: UUID) -> Sequence[Credited]:
    """Return what came back of a rental's charges for its reports, in order."""
    rows = RentalReport.objects.filter(rental_id=rental_id, state=ReportState.CREDITED)
    return tuple(
        Credited(one.closed_at, one.id, one.credited_microusd)
        for one in rows.order_by("closed_at", "id")
        if one.closed_at is not None
    )
