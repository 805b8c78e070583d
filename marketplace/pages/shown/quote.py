"""This will say what a request costs at worst, before anybody agrees to it."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from marketplace.domain import matching, pricing, upkeep
from marketplace.domain.metered import Priced
from marketplace.domain.money import MS_PER_HOUR, format_usd
from marketplace.domain.problem import Refused
from marketplace.domain.starts import Basis, Kinds, Starts, known
from marketplace.domain.terms import Terms, agree, worst_total
from marketplace.offers.queries import OfferRow
from marketplace.pages import wording
from marketplace.pages.forms.rent import RentForm

#: what is proposed to be added at least
CENTS_MIN = 1000


@dataclass(frozen=True, slots=True)
class Quote:
    balance: str
    #: what is in the way; empty: nothing
    sentence: str = ""
    price_hour: str = "–"
    #: the thing that the largest share is taken of; empty: the one that the host names a price for
    priced_by: str = ""
    #: which bids win now; empty: its host takes none
    bids: str = ""
    worst_total: str = "–"
    #: what the form sends back as agreed; None: there is nothing to agree to
    price_hour_microusd: int | None = None
    worst_total_microusd: int | None = None
    runs: str = "–"
    #: how quickly others were ready there; empty: nobody was of late
    ready: str = ""
    #: what is set aside at once, where that is not all of it; empty: it is
    held: str = ""
    #: of a reservation: what it would cost on demand, and what is taken off
    instead: str = ""
    #: what it costs beside its time, one sentence each; none: nothing
    beside: tuple[str, ...] = ()
    #: what an hour of another machine may cost that takes it over; empty: none does
    failover: str = ""
    #: where the missing money is added, and back; empty: none is missing
    add_url: str = ""


def quote(
    form: RentForm,
    offer: OfferRow,
    *,
    balance_microusd: int,
    kinds: Kinds,
    back_url: str,
    bids_from: int | None = None,
) -> Quote:
    """Return the price of a form that was filled in, valid or not.

    ``kinds``: how rentals began on each kind of machine. ``back_url``: where the form is.
    ``bids_from``: the lowest bid that wins now. None: none does.
    """
    balance = format_usd(balance_microusd)
    if not form.is_valid():
        return Quote(balance, "Fill in the fields to see the price.")
    asked = matching.Slice.of(form.resources())
    on_demand = pricing.price_hour(
        asked, total=offer.total, price_unit_microusd=offer.price_hour_microusd
    )
    bid, tariff = form.bid_microusd(), offer.tariff
    if bid is not None and tariff.bid_floor_microusd is not None:
        # One that is too low is priced all the same, and said to be.
        tariff = replace(tariff, bid_floor_microusd=1)
    longest_s = offer.longest_term_s
    try:
        terms = agree(tariff, asked, form.limits(), total=offer.total, longest_term_s=longest_s)
    except Refused as refused:
        return Quote(balance, refused.detail, price_hour=format_usd(on_demand))
    price, worst = terms.price_hour_microusd, terms.worst_total_microusd
    held = terms.held_microusd
    missing = held - balance_microusd
    sentence = _in_the_way(form, offer) or _too_low(bid, bids_from)
    if not sentence and missing > 0:
        sentence = f"You need {format_usd(missing)} more in your balance."
    return Quote(
        price_hour=format_usd(price),
        price_hour_microusd=price,
        priced_by=_priced_by(asked, offer),
        bids=_bids(offer, bids_from),
        worst_total=format_usd(worst),
        worst_total_microusd=worst,
        runs=wording.duration(terms.term_ms),
        ready="" if bid is not None else _ready(offer, kinds),
        held="" if held == worst else format_usd(held),
        instead=_instead(terms),
        beside=_beside(terms, asked),
        failover=_failover(form, price),
        balance=balance,
        sentence=sentence,
        add_url=_add_url(missing, back_url) if missing > 0 else "",
    )


def _bids(offer: OfferRow, bids_from: int | None) -> str:
    if offer.bid_floor_microusd is None:
        return ""
    if bids_from is None:
        return "No bid wins now."
    return f"Bids from {format_usd(bids_from)} an hour win now."


def _ready(offer: OfferRow, kinds: Kinds) -> str:
    own = Starts(
        offer.start_p50_ms, offer.start_p95_ms, came_up=offer.starts, failed=offer.starts_failed
    )
    found = known(own, gpu_model=offer.gpu_model, kinds=kinds)
    if found is None or found[0].p50_ms is None or found[0].p95_ms is None:
        return ""
    basis = found[1]
    half, most = wording.seconds(found[0].p50_ms), wording.seconds(found[0].p95_ms)
    where = "" if basis is Basis.MACHINE else f", {wording.began_where(basis, offer.gpu_model)}"
    return f"{half} for half, {most} for 95 of 100{where}"


def _too_low(bid: int | None, bids_from: int | None) -> str:
    loses = bid is not None and (bids_from is None or bid < bids_from)
    return "Your bid does not win now; bid more, or leave it empty." if loses else ""


def _instead(terms: Terms) -> str:
    if not terms.discount_ppm:
        return ""
    whole = worst_total(Priced(terms.on_demand_hour_microusd), terms.term_ms)
    total = format_usd(terms.worst_total_microusd - terms.traffic_microusd_max)
    return f"{total} instead of {format_usd(whole)}, {wording.percent(terms.discount_ppm)} off"


def _beside(terms: Terms, asked: matching.Slice) -> tuple[str, ...]:
    found = []
    if terms.storage_price_microusd:
        price = format_usd(terms.storage_price_microusd)
        hour = upkeep.storage_cost(terms.storage_price_microusd, asked.disk_bytes, MS_PER_HOUR)
        found.append(
            f"{price} per GB and month while stopped: here {format_usd(hour)} an hour, and never"
            " more than it costs to run."
        )
    if terms.network_price_microusd:
        price, most = format_usd(terms.network_price_microusd), terms.traffic_microusd_max
        found.append(f"{price} per GB of traffic: {format_usd(most)} at most, in the total.")
    return tuple(found)


def _failover(form: RentForm, price_hour_microusd: int) -> str:
    most = form.failover_microusd(price_hour_microusd)
    return "" if most is None else format_usd(most)


def _priced_by(asked: matching.Slice, offer: OfferRow) -> str:
    shares = pricing.shares(asked, total=offer.total)
    largest = max(shares, key=lambda name: shares[name], default="")
    return "" if largest == next(iter(shares), "") else largest


def _add_url(missing_microusd: int, back: str) -> str:
    cents = max(CENTS_MIN, -(-missing_microusd // 10_000))
    return "/money/?" + urlencode({"amount": f"{cents / 100:.2f}", "next": back})


def _in_the_way(form: RentForm, offer: OfferRow) -> str:
    """Return why the machine cannot be rented like this now; empty: it can."""
    try:
        matching.check_rentable(online=offer.online, verified=offer.verified)
    except Refused as refused:
        return refused.detail
    free = matching.Slice(
        cpus=offer.cpus_free,
        memory_bytes=offer.ram_bytes_free,
        disk_bytes=offer.disk_bytes_free,
        gpus=offer.gpus_free,
    )
    short = matching.Slice.of(form.resources()).exceeds(free)
    return f"Not that much is free here: {', '.join(short)}." if short else ""
