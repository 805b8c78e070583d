"""This will tell a host where the price of a machine stands in its market, and what it earns."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from marketplace.domain.market_price import Spread, earns
from marketplace.machines.models import Machine
from marketplace.metering.occupancy import occupancies_ppm
from marketplace.offers.models import KindPrice, Offer
from marketplace.offers.queries import OfferUnknown

NOT_YOURS = "There is no such machine of yours."


@dataclass(frozen=True, slots=True)
class Market:
    machine: Machine
    #: of an hour of one GPU, or of one CPU where there is none
    price_unit_microusd: int
    #: None: too few offer such machines, or are paid for them
    offered: Spread | None
    paid: Spread | None
    #: None: nothing is told of its kind
    counted_at: datetime | None
    #: of the last thirty days
    occupancy_ppm: int

    def earns(self, price_unit_microusd: int) -> int:
        """Return what thirty days earn at this price after the fee, as much rented as now."""
        return earns(
            price_unit_microusd,
            units=self.machine.gpus_total or self.machine.cpus_total,
            occupancy_ppm=self.occupancy_ppm,
            fee_ppm=settings.FEE_PPM,
        )


def of_machine(machine_id: UUID, *, host_id: int, now: datetime) -> Market:
    """Return the market of one of the host's machines.

    :raises OfferUnknown: when the machine is not this host's.
    """
    found = Offer.objects.select_related("machine").filter(
        machine_id=machine_id, machine__host_id=host_id
    )
    offer = found.first()
    if offer is None:
        raise OfferUnknown(NOT_YOURS)
    machine = offer.machine
    counted = KindPrice.objects.filter(
        gpu_model=machine.gpu_model, vram_bytes=machine.vram_bytes
    ).first()
    return Market(
        machine=machine,
        price_unit_microusd=offer.price_unit_microusd,
        offered=None if counted is None else _offered(counted),
        paid=None if counted is None else _paid(counted),
        counted_at=None if counted is None else counted.counted_at,
        occupancy_ppm=occupancies_ppm([machine], host_id=host_id, now=now)[machine.id],
    )


def _offered(row: KindPrice) -> Spread | None:
    cuts = (row.offered_p10_microusd, row.offered_median_microusd, row.offered_p90_microusd)
    return _spread(cuts, prices=row.offers, hosts=row.hosts)


def _paid(row: KindPrice) -> Spread | None:
    cuts = (row.paid_p10_microusd, row.paid_median_microusd, row.paid_p90_microusd)
    return _spread(cuts, prices=row.rentals, hosts=row.paid_hosts)


def _spread(
    cuts: tuple[int | None, int | None, int | None], *, prices: int, hosts: int
) -> Spread | None:
    p10, median, p90 = cuts
    if p10 is None or median is None or p90 is None:
        return None
    return Spread(p10, median, p90, prices=prices, hosts=hosts)
