"""This will say what a renter agrees to pay for a slice of an offer, within the renter's limits."""

from dataclasses import dataclass
from datetime import timedelta

from marketplace.domain import funding, pricing, reserved, upkeep
from marketplace.domain.funding import Funding
from marketplace.domain.matching import Slice
from marketplace.domain.metered import Priced
from marketplace.domain.money import MicroUsd
from marketplace.domain.pricing import PriceType


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a host asks."""

    #: of an hour of a GPU, or of a CPU where the machine has no GPU
    price_unit_microusd: int
    #: the least bid for it; None: no bids
    bid_floor_microusd: int | None = None
    #: what reservations take off; empty: it takes none
    discounts: tuple[reserved.Discount, ...] = ()
    #: of a GB and 30 days, while a rental is stopped
    storage_price_microusd: int = 0
    #: of a GB of traffic, both ways together
    network_price_microusd: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds it, as the renter wrote it. None: not given."""

    lease_s: int | None
    cap_microusd: int | None
    #: per hour, where the host takes bids
    bid_microusd: int | None
    #: the highest price of an hour that the renter agreed to
    price_hour_microusd_max: int | None
    price_type: PriceType = PriceType.ON_DEMAND
    #: traffic that may be charged at most, where the host charges for it
    traffic_bytes_max: int = 0
    funding: Funding = Funding.WHOLE


@dataclass(frozen=True, slots=True)
class Terms:
    """What the renter agrees to pay."""

    price_hour_microusd: MicroUsd
    #: whether that is a bid, and others may outbid it
    interruptible: bool
    #: what an hour costs without a discount or a bid
    on_demand_hour_microusd: MicroUsd
    #: what a reservation takes off, in millionths; 0: it is none
    discount_ppm: int
    #: how long it may run
    term_ms: int
    worst_total_microusd: MicroUsd
    #: of a GB and 30 days while it is stopped
    storage_price_microusd: int
    #: of a GB of traffic, and the most that all of it may cost: a part of the worst total
    network_price_microusd: int
    traffic_microusd_max: MicroUsd
    #: what is set aside at the start: the worst total, or less where that is renewed
    held_microusd: MicroUsd
    #: the most milliseconds that this pays for; None: all of the term
    paid_ms: int | None


def agree(
    tariff: Tariff, asked: Slice, limits: Limits, *, total: Slice, longest_term_s: int
) -> Terms:
    """Return what the slice of a machine that has ``total`` costs within the limits.

    :raises Refused: when the price, the bid, the term or the traffic is out of bounds.
    """
    unit = tariff.price_unit_microusd
    on_demand = pricing.price_hour(asked, total=total, price_unit_microusd=unit)
    discount_ppm = _discount_ppm(tariff, limits)
    price = _price_hour(tariff, on_demand, limits, discount_ppm)
    pricing.check_price(price, at_most_microusd=limits.price_hour_microusd_max)
    traffic = upkeep.traffic_cost(tariff.network_price_microusd, limits.traffic_bytes_max)
    if limits.cap_microusd is not None and traffic >= limits.cap_microusd:
        raise upkeep.TrafficOverCap
    term_ms = pricing.term_ms(
        price_hour_microusd=price,
        lease_s=limits.lease_s,
        cap_microusd=limits.cap_microusd,
        longest_term_s=longest_term_s,
        from_microusd=traffic,
    )
    worst = worst_total(Priced(price, from_microusd=traffic), term_ms)
    storage_price = _storage_price(tariff, asked, price, limits.price_type)
    held, paid_ms = worst, None
    if limits.funding is Funding.ROLLING:
        held, paid_ms = _an_hour(
            price, worst, traffic + storage_ahead(storage_price, asked.disk_bytes, term_ms=term_ms)
        )
    return Terms(
        price_hour_microusd=price,
        interruptible=limits.bid_microusd is not None,
        on_demand_hour_microusd=on_demand,
        discount_ppm=discount_ppm,
        term_ms=term_ms,
        worst_total_microusd=worst,
        storage_price_microusd=storage_price,
        network_price_microusd=tariff.network_price_microusd,
        traffic_microusd_max=traffic,
        held_microusd=held,
        paid_ms=paid_ms,
    )


def worst_total(priced: Priced, term_ms: int) -> MicroUsd:
    """Return the most that a term costs, at least a micro-USD, so that some is set aside."""
    return max(MicroUsd(1), priced.cost(term_ms))


def bid_hour(tariff: Tariff, on_demand: MicroUsd, bid_microusd: int) -> MicroUsd:
    """Return what an hour costs by this bid for what costs ``on_demand`` without one.

    :raises BidsNotTaken: when the host takes none.
    :raises BidBelowFloor: when the host wants more.
    """
    floor = bid_floor(tariff, on_demand)
    if floor is None:
        raise pricing.BidsNotTaken
    return pricing.check_bid(bid_microusd, price_hour_microusd=on_demand, floor_hour_microusd=floor)


def bid_floor(tariff: Tariff, on_demand: MicroUsd) -> MicroUsd | None:
    """Return the least that an hour goes for of what costs ``on_demand``; None: it takes no bids.

    It is never more than that.
    """
    if tariff.bid_floor_microusd is None:
        return None
    floor = pricing.floor_hour(
        price_hour_microusd=on_demand,
        price_unit_microusd=tariff.price_unit_microusd,
        floor_unit_microusd=tariff.bid_floor_microusd,
    )
    return min(floor, on_demand)


def repriced(priced: Priced, *, price_hour_microusd: int, at_ms: int) -> Priced:
    """Return what a rental costs at most where its price changes so long after its start."""
    from_ms = max(priced.from_ms, at_ms)
    return Priced(price_hour_microusd, from_ms, priced.cost(from_ms))


def storage_ahead(price_month_microusd: int, disk_bytes: int, *, term_ms: int) -> MicroUsd:
    """Return what its disk costs while it has no money: for 7 days, or to the end of its term."""
    kept_ms = min(funding.KEPT // timedelta(milliseconds=1), max(0, term_ms))
    return upkeep.storage_cost(price_month_microusd, disk_bytes, kept_ms)


def _an_hour(price: MicroUsd, worst: MicroUsd, beside: int) -> tuple[MicroUsd, int | None]:
    """Return what is set aside for the first hour, and the milliseconds that this pays for."""
    costs = funding.Costs(Priced(price), price, 0, 0, beside)
    held = min(worst, costs.needed(funding.AHEAD_MS))
    return held, None if held == worst else costs.paid_ms(held)


def _discount_ppm(tariff: Tariff, limits: Limits) -> int:
    if limits.price_type is not PriceType.RESERVED:
        return 0
    unfit = limits.bid_microusd is not None or limits.funding is not Funding.WHOLE
    if limits.cap_microusd is not None or unfit:
        raise reserved.ReservationUnfit
    return reserved.discount_ppm(tariff.discounts, lease_s=limits.lease_s)


def _price_hour(tariff: Tariff, on_demand: MicroUsd, limits: Limits, discount_ppm: int) -> MicroUsd:
    bid_microusd = limits.bid_microusd
    if limits.price_type is PriceType.RESERVED:
        return reserved.reserved_hour(on_demand, discount_ppm)
    return on_demand if bid_microusd is None else bid_hour(tariff, on_demand, bid_microusd)


def _storage_price(tariff: Tariff, asked: Slice, price: MicroUsd, price_type: PriceType) -> int:
    if price_type is PriceType.RESERVED:
        # Its term is paid for, its disk with it, and its renter can't stop it.
        return 0
    return upkeep.storage_price(
        tariff.storage_price_microusd, asked.disk_bytes, price_hour_microusd=price
    )
