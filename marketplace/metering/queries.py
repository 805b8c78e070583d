"""This will answer what was proven and charged."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Sum

from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.verification.epochs import Delivered
from protocol.receipts import SignedInterval

#: signed intervals of one page: nearly three hours of a rental, half a megabyte
RECEIPTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class ReceiptsPage:
    """Some of a placement's chain of signed intervals, in order."""

    intervals: tuple[SignedInterval, ...]
    #: the sequence that the next page begins with; None: there is none
    next_sequence: int | None


def receipts(placement_id: UUID, *, first: int = 0) -> ReceiptsPage:
    """Return the placement's signed intervals from the sequence ``first`` on.

    Each was checked against the one before when it came; nothing else was ever stored.
    """
    rows = SignedIntervalRow.objects.filter(placement_id=placement_id, sequence__gte=first)
    found = list(rows.order_by("sequence").values_list("signed", flat=True)[: RECEIPTS_MAX + 1])
    return ReceiptsPage(
        intervals=tuple(SignedInterval.model_validate(signed) for signed in found[:RECEIPTS_MAX]),
        next_sequence=first + RECEIPTS_MAX if len(found) > RECEIPTS_MAX else None,
    )


def delivered(start: datetime, end: datetime) -> dict[UUID, Delivered]:
    """Return, by machine, the counted time that was charged and ended inside [start, end).

    GPU machines count each GPU's milliseconds, machines without one count the placement's.
    """
    found: dict[UUID, Delivered] = {}
    rows = SignedIntervalRow.objects.filter(
        billable_from__isnull=False,
        billable_to__gte=start,
        billable_to__lt=end,
        billable_to__lte=F("placement__meter__charged_until"),
    ).select_related("placement__meter")
    # In the order of the index, which is the way to read an epoch and not all the past.
    for row in rows.order_by("billable_to", "id").iterator(chunk_size=1000):
        machine_id = row.placement.machine_id
        if row.billable_from is None or row.billable_to is None:
            continue
        ms = (row.billable_to - row.billable_from) // timedelta(milliseconds=1)
        meter = row.placement.meter
        fees = meter.price_hour_microusd * ms // 3_600_000 * meter.fee_ppm // 1_000_000
        before = found.get(machine_id, Delivered(0, 0))
        found[machine_id] = Delivered(
            paid_ms=before.paid_ms + ms * max(1, len(row.placement.gpu_uuids)),
            fees_microusd=before.fees_microusd + fees,
        )
    return found


def earned_by_machine(host_id: int) -> dict[UUID, int]:
    """Return what each of a host's machines earned after fees, in micro-USD."""
    rows = (
        Meter.objects.filter(host_id=host_id)
        .values("placement__machine_id")
        .annotate(charged=Sum("charged_microusd"), fees=Sum("fee_microusd"))
        .order_by("placement__machine_id")
    )
    return {row["placement__machine_id"]: row["charged"] - row["fees"] for row in rows}
