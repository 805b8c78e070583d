"""This will find renters' reports for staff, and put together what decides about one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from marketplace.console import rentals
from marketplace.console.rentals import RentalCase
from marketplace.domain.money import MicroUsd
from marketplace.domain.rental_report import ReportState
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import return_charge
from marketplace.metering.models import SideMeter
from marketplace.payments import queries as payments
from marketplace.payments.models import DisputeState
from marketplace.rentals import comes_back
from marketplace.rentals.models import RentalReport
from marketplace.rentals.rental_reports import ReportUnknown
from marketplace.verification.models import StandingEvent, VerdictRecord
from protocol.validator import SignedVerdict

ROWS_MAX = 20
#: of each list beside a report
SHOWN_MAX = 10
#: verdicts and changes that lie so far beside a rental say something of it
NEAR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reports:
    """A page of reports that wait, the oldest first."""

    reports: Sequence[RentalReport]
    #: where the next page begins; None: this is the last one
    after: UUID | None


@dataclass(frozen=True, slots=True)
class ReportCase:
    """One report with all that decides about it."""

    report: RentalReport
    rental: RentalCase
    #: of what was charged, can still come back for it
    left_microusd: MicroUsd
    #: of what was charged, was credit that has ended: it cannot come back
    ended_microusd: MicroUsd
    #: of this renter's payments, is disputed at their bank, and was lost so
    disputed_microusd: MicroUsd
    lost_microusd: MicroUsd
    #: what the rental brought its host, before anything came back
    earned_microusd: MicroUsd
    #: what its host has not been paid out, of all they host
    unpaid_microusd: MicroUsd
    #: of the rental's time and a day around it, newest first, as is what follows
    verdicts: Sequence[SignedVerdict]
    changes: Sequence[StandingEvent]
    #: other reports of this renter, and of others about this machine
    by_renter: Sequence[RentalReport]
    on_machine: Sequence[RentalReport]


def waiting(*, after: UUID | None = None, limit: int = ROWS_MAX) -> Reports:
    """Return a page of the reports that wait; one index, however many are answered."""
    rows = RentalReport.objects.filter(state=ReportState.OPEN)
    last = None if after is None else RentalReport.objects.filter(id=after).first()
    if last is not None:
        rows = rows.filter(Q(made_at__gt=last.made_at) | Q(made_at=last.made_at, id__gt=last.id))
    beside = rows.select_related("renter", "rental__placement__machine__host")
    page = tuple(beside.order_by("made_at", "id")[: limit + 1])
    return Reports(page[:limit], page[limit - 1].id if len(page) > limit else None)


def case(report_id: UUID, *, now: datetime) -> ReportCase:
    """Return one report, in a fixed number of queries.

    :raises ReportUnknown: when there is none.
    """
    report = RentalReport.objects.filter(id=report_id).first()
    found = None if report is None else rentals.case(report.rental_id, now=now)
    if report is None or found is None:
        raise ReportUnknown
    machine_id = found.placement.machine_id
    near = (found.rental.started_at - NEAR, (found.placement.ended_at or now) + NEAR)
    others = RentalReport.objects.exclude(rental_id=report.rental_id).order_by("-made_at", "id")
    mine = Q(rental_id=report.rental_id) & ~Q(id=report.id)
    of_rental = RentalReport.objects.filter(mine).order_by("-made_at", "id")
    verdicts = VerdictRecord.objects.filter(machine_id=machine_id, checked_at__range=near)
    changes = StandingEvent.objects.filter(machine_id=machine_id, at__range=near)
    on_machine = others.filter(rental__placement__machine_id=machine_id)
    return ReportCase(
        report=report,
        rental=found,
        left_microusd=comes_back.most(
            found.rental, found.hold, reported_at=report.made_at, now=now
        ),
        ended_microusd=return_charge.credit_ended(found.hold, now=now),
        disputed_microusd=payments.disputed_of(report.renter_id, DisputeState.OPEN),
        lost_microusd=payments.disputed_of(report.renter_id, DisputeState.LOST),
        earned_microusd=_earned(found),
        unpaid_microusd=ledger.earned(found.meter.host_id),
        verdicts=tuple(
            SignedVerdict.model_validate(one)
            for one in verdicts.filter(validator__admitted=True)
            .order_by("-checked_at", "-id")
            .values_list("signed", flat=True)[:SHOWN_MAX]
        ),
        changes=tuple(changes.order_by("-at", "-id")[:SHOWN_MAX]),
        by_renter=(
            *of_rental[:SHOWN_MAX],
            *others.filter(renter_id=report.renter_id)[:SHOWN_MAX],
        ),
        on_machine=tuple(on_machine.exclude(renter_id=report.renter_id)[:SHOWN_MAX]),
    )


def _earned(found: RentalCase) -> MicroUsd:
    meter = found.meter
    side = SideMeter.objects.filter(meter=meter).first()
    beside = side.storage_microusd + side.traffic_microusd - side.fee_microusd if side else 0
    return MicroUsd(meter.charged_microusd - meter.fee_microusd + beside)
