"""This will say what a request costs at worst, before anybody agrees to it."""

from dataclasses import dataclass

from marketplace.domain import pricing
from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused
from marketplace.offers.queries import OfferRow
from marketplace.pages import wording
from marketplace.pages.forms.rent import RentForm


@dataclass(frozen=True, slots=True)
class Quote:
    balance: str
    #: what is in the way; empty: nothing
    sentence: str = ""
    price_hour: str = "–"
    worst_total: str = "–"
    #: what the form sends back as agreed; None: there is nothing to agree to
    price_hour_microusd: int | None = None
    worst_total_microusd: int | None = None
    runs: str = "–"
    missing_money: bool = False


def quote(form: RentForm, offer: OfferRow, *, balance_microusd: int) -> Quote:
    """Return the price of a form that was filled in, valid or not."""
    balance = format_usd(balance_microusd)
    if not form.is_valid():
        return Quote(balance, "Fill in the fields to see the price.")
    resources = form.resources()
    price = pricing.price_hour(
        gpus=resources.gpu.count,
        cpus=resources.cpu.count,
        price_gpu_hour_microusd=offer.price_gpu_hour_microusd,
        price_cpu_hour_microusd=offer.price_cpu_hour_microusd,
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
    sentence = f"You need {format_usd(missing)} more in your balance." if missing > 0 else ""
    return Quote(
        price_hour=format_usd(price),
        price_hour_microusd=price,
        worst_total=format_usd(worst),
        worst_total_microusd=worst,
        runs=runs,
        balance=balance,
        sentence=sentence,
        missing_money=missing > 0,
    )
