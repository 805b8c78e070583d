"""This will say how much of each of a host's machines was rented lately, and what that earned."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, QuerySet, Sum

from marketplace.domain.market_price import DAYS, occupancy_ppm
from marketplace.domain.money import PPM
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter

_MS = timedelta(milliseconds=1)


@dataclass(slots=True)
class Lately:
    """What a machine did in the last thirty days."""

    #: the share that was rented and paid for, in millionths
    occupancy_ppm: int = 0
    #: of its rentals' time, after the fee, and less the host's part of what was given back
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
        host_id=host_id, placement__machine_id__in=list(found), charged_until__gt=since
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
        charged=Sum("charged_microusd"),
        fees=Sum("fee_microusd"),
        returned=Sum(
            (F("hold__returned_microusd") - F("hold__site_returned_microusd"))
            * (PPM - F("fee_ppm"))
        ),
    )
    for row in sums.order_by("placement__machine_id"):
        one = found[row["placement__machine_id"]]
        # Of a machine with GPUs none but those count: a placement without one takes no unit.
        has_gpus = row["placement__machine__gpus_total"] > 0
        one.used_ms += int(row["of_gpus"] if has_gpus else row["of_cpus"])
        one.earned_microusd += int(row["charged"] - row["fees"] - row["returned"] // PPM)


def _add_older(
    found: dict[UUID, Lately], meters: QuerySet[Meter], *, since: datetime, now: datetime
) -> None:
    for meter in meters.select_related("placement__machine", "hold").order_by("id"):
        placement, one = meter.placement, found[meter.placement.machine_id]
        within_ms = (min(meter.charged_until or since, now) - since) // _MS
        used_ms = min(meter.charged_ms, within_ms)
        one.used_ms += used_ms * (
            placement.gpus if placement.machine.gpus_total else placement.cpus
        )
        back = meter.hold.returned_microusd - meter.hold.site_returned_microusd
        returned = back * (PPM - meter.fee_ppm) // PPM
        net = meter.charged_microusd - meter.fee_microusd - returned
        one.earned_microusd += net * used_ms // max(1, meter.charged_ms)
