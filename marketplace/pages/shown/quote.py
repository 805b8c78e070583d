"""This will say what a request costs at worst, before anybody agrees to it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from marketplace.domain import matching, pricing
from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused
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
    worst_total: str = "–"
    #: what the form sends back as agreed; None: there is nothing to agree to
    price_hour_microusd: int | None = None
    worst_total_microusd: int | None = None
    runs: str = "–"
    #: where the missing money is added, and back; empty: none is missing
    add_url: str = ""


def quote(form: RentForm, offer: OfferRow, *, balance_microusd: int) -> Quote:
    """Return the price of a form that was filled in, valid or not."""
    balance = format_usd(balance_microusd)
    if not form.is_valid():
        return Quote(balance, "Fill in the fields to see the price.")
    asked = matching.Slice.of(form.resources())
    price = pricing.price_hour(
        asked, total=offer.total, price_unit_microusd=offer.price_hour_microusd
    )
    limits = {
        "price_hour_microusd": price,
        "lease_s": form.lease_s(),
        "cap_microusd": form.cleaned_data["cap"],
        "longest_term_s": offer.longest_term_s,
    }
    try:
        worst = pricing.worst_total(**limits)
        runs = wording.duration(pricing.term_ms(**limits))
    except Refused as refused:
        return Quote(balance, refused.detail, price_hour=format_usd(price))
    missing = worst - balance_microusd
    sentence = _in_the_way(form, offer)
    if not sentence and missing > 0:
        sentence = f"You need {format_usd(missing)} more in your balance."
    return Quote(
        price_hour=format_usd(price),
        price_hour_microusd=price,
        priced_by=_priced_by(asked, offer),
        worst_total=format_usd(worst),
        worst_total_microusd=worst,
        runs=runs,
        balance=balance,
        sentence=sentence,
        add_url=_add_url(missing, f"/offers/{offer.id}/rent") if missing > 0 else "",
    )


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
