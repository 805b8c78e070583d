"""This will say how much of each of a host's machines was rented lately, and what that earned."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum

from marketplace.domain.market_price import DAYS, occupancy_ppm
from marketplace.machines.models import Machine
from marketplace.metering import host_part
from marketplace.metering.models import Meter, SideMeter

_MS = timedelta(milliseconds=1)


@dataclass(slots=True)
class Lately:
    """What a machine did in the last thirty days."""

    #: the share that was rented and paid for, in millionths
    occupancy_ppm: int = 0
    #: of its rentals, as metering/host_part.py counts it
    earned_microusd: int = 0
    #: of each unit, added up
    used_ms: int = 0


def lately(machines: Collection[Machine], *, host_id: int, now: datetime) -> dict[UUID, Lately]:
    """Return what each machine did, from its meters: charges are too many to be added up here.

    A machine is occupied by its GPUs, or where it has none by its CPUs, and measured since its
    enrolment where that is later. Of what began before the window counts as much as lies inside:
    no more time than that, and the same share of what it earned.
    """
    since = now - timedelta(days=DAYS)
    found = {machine.id: Lately() for machine in machines}
    meters = Meter.objects.filter(
        Q(charged_until__gt=since) | Q(side__stored_until__gt=since),
        host_id=host_id,
        placement__machine_id__in=list(found),
    )
    _add_begun(found, meters.filter(opened_at__gte=since))
    _add_older(found, meters.filter(opened_at__lt=since), since=since, now=now)
    for machine in machines:
        found[machine.id].occupancy_ppm = occupancy_ppm(
            found[machine.id].used_ms,
            units=machine.gpus_total or machine.cpus_total,
            window_ms=(now - max(since, machine.enrolled_at)) // _MS,
        )
    return found


def occupancies_ppm(
    machines: Collection[Machine], *, host_id: int, now: datetime
) -> dict[UUID, int]:
    """Return the share of the last thirty days, in millionths, that each machine was paid for."""
    found = lately(machines, host_id=host_id, now=now)
    return {machine_id: one.occupancy_ppm for machine_id, one in found.items()}


def _add_begun(found: dict[UUID, Lately], meters: QuerySet[Meter]) -> None:
    by_machine = meters.values("placement__machine_id", "placement__machine__gpus_total")
    sums = by_machine.annotate(
        of_gpus=Sum(F("charged_ms") * F("placement__gpus")),
        of_cpus=Sum(F("charged_ms") * F("placement__cpus")),
        **host_part.sums(),
    )
    for row in sums.order_by("placement__machine_id"):
        one = found[row["placement__machine_id"]]
        # Of a machine with GPUs none but those count: a placement without one takes no unit.
        has_gpus = row["placement__machine__gpus_total"] > 0
        one.used_ms += int(row["of_gpus"] if has_gpus else row["of_cpus"])
        one.earned_microusd += host_part.earned(row)


def _add_older(
    found: dict[UUID, Lately], meters: QuerySet[Meter], *, since: datetime, now: datetime
) -> None:
    for meter in meters.select_related("placement__machine", "hold", "side").order_by("id"):
        placement, one = meter.placement, found[meter.placement.machine_id]
        side: SideMeter | None = getattr(meter, "side", None)
        used_ms = min(meter.charged_ms, _ms(since, min(meter.charged_until or since, now)))
        stored_ms = 0
        if side is not None:
            stored_ms = min(side.stored_ms, _ms(since, min(side.stored_until or since, now)))
        one.used_ms += used_ms * (
            placement.gpus if placement.machine.gpus_total else placement.cpus
        )
        one.earned_microusd += host_part.earned_within(
            meter, charged_ms=used_ms, stored_ms=stored_ms
        )


def _ms(since: datetime, until: datetime) -> int:
    return max(0, (until - since) // _MS)
