"""This will say how much of each of a host's machines was rented and paid for lately."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Sum
from django.db.models.functions import Greatest

from marketplace.domain.market_price import DAYS, occupancy_ppm
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter

_MS = timedelta(milliseconds=1)


def occupancies_ppm(
    machines: Collection[Machine], *, host_id: int, now: datetime
) -> dict[UUID, int]:
    """Return the share of the last thirty days, in millionths, that each machine was paid for.

    By its GPUs, or where it has none by its CPUs. A machine enrolled later is measured since then.
    What began before the window counts for what it was charged, and for no more than lies inside.
    """
    since = now - timedelta(days=DAYS)
    used_ms = _used_ms([machine.id for machine in machines], host_id=host_id, since=since, now=now)
    return {
        machine.id: occupancy_ppm(
            used_ms.get(machine.id, 0),
            units=machine.gpus_total or machine.cpus_total,
            window_ms=(now - max(since, machine.enrolled_at)) // _MS,
        )
        for machine in machines
    }


def _used_ms(
    machine_ids: Collection[UUID], *, host_id: int, since: datetime, now: datetime
) -> dict[UUID, int]:
    meters = Meter.objects.filter(
        host_id=host_id, placement__machine_id__in=machine_ids, charged_until__gt=since
    )
    found: dict[UUID, int] = defaultdict(int)
    begun = meters.filter(opened_at__gte=since).values("placement__machine_id")
    # Of a machine with GPUs none but those count; a placement there without one takes no unit.
    for name, of in (("gpus", {"gpus_total__gt": 0}), ("cpus", {"gpus_total": 0})):
        kind = {f"placement__machine__{field}": value for field, value in of.items()}
        sums = begun.filter(**kind).annotate(
            used=Sum(F("charged_ms") * Greatest(F(f"placement__{name}"), 0))
        )
        for row in sums.order_by("placement__machine_id"):
            found[row["placement__machine_id"]] += int(row["used"])
    older = meters.filter(opened_at__lt=since).select_related("placement__machine").order_by("id")
    for meter in older.iterator(chunk_size=1000):
        machine, until = meter.placement.machine, meter.charged_until or since
        units = meter.placement.gpus if machine.gpus_total else meter.placement.cpus
        found[machine.id] += min(meter.charged_ms, (min(until, now) - since) // _MS) * units
    return found
