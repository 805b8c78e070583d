"""This will count what is for rent, without counting it for everybody who comes by."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db.models import Count, Min, Q, Sum

from marketplace.offers.models import Offer

#: the numbers may be behind by so much, as each process keeps its own
KEPT_S = 60
KEY = "totals"


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the machines that are online, verified and open to everybody."""

    machines: int
    gpus: int
    gpus_free: int
    cpus: int
    cpus_free: int
    #: the lowest price of an hour of one GPU, and of a CPU of a machine without one; None: none
    gpu_hour_microusd: int | None
    cpu_hour_microusd: int | None


def totals(now: datetime) -> Totals:
    """Return the numbers of the market as they were at most a minute ago."""
    kept: Totals | None = cache.get(KEY)
    if kept is None:
        kept = _count(now)
        cache.set(KEY, kept, KEPT_S)
    return kept


def _count(now: datetime) -> Totals:
    open_to_all = Offer.objects.filter(
        listed=True, private=False, machine__online=True, verified_until__gt=now
    )
    with_gpus = Q(machine__gpus_total__gt=0)
    sums = open_to_all.aggregate(
        machines=Count("id"),
        gpus=Sum("machine__gpus_total", default=0),
        gpus_free=Sum("machine__gpus_free", default=0),
        cpus=Sum("machine__cpus_total", default=0),
        cpus_free=Sum("machine__cpus_free", default=0),
        gpu_hour_microusd=Min("price_hour_microusd", filter=with_gpus),
        cpu_hour_microusd=Min("price_hour_microusd", filter=~with_gpus),
    )
    return Totals(**sums)
