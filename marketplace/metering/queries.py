"""This will answer what was proven and charged."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Sum

from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.verification.epochs import Delivered
from protocol.receipts import SignedInterval


def receipts(placement_id: UUID) -> tuple[SignedInterval, ...]:
    """Return the placement's whole chain of signed intervals, first to last."""
    rows = SignedIntervalRow.objects.filter(placement_id=placement_id).order_by("sequence")
    return tuple(
        SignedInterval.model_validate(signed) for signed in rows.values_list("signed", flat=True)
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
