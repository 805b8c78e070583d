"""This will prepare offers for the lists."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.money import format_usd
from marketplace.offers.models import Offer
from marketplace.pages import wording


@dataclass(frozen=True, slots=True)
class OfferRow:
    title: str
    subtitle: str
    free: str
    free_more: str
    check: str
    check_tone: str
    measured: str
    price: str
    price_unit: str
    rent_url: str


def row(offer: Offer, now: datetime) -> OfferRow:
    """Return the offer, loaded with its machine, as a row."""
    machine = offer.machine
    verified = offer.verified_until is not None and offer.verified_until > now
    check, tone = ("Verified", "good") if verified else ("Not verified", "warn")
    if not machine.online:
        check, tone = "Offline", "bad"
    memory = f"{wording.size(max(0, machine.memory_bytes_free))} RAM"
    disk = f"{wording.size(max(0, machine.disk_bytes_free))} disk"
    cpus = wording.count(max(0, machine.cpus_free), "CPU")
    if machine.gpus_total:
        title = f"{machine.gpus_total} × {machine.gpu_model}"
        subtitle = f"{wording.size(machine.vram_bytes)} VRAM each, {machine.cpu_model}"
        free = f"{max(0, machine.gpus_free)} of {wording.count(machine.gpus_total, 'GPU')}"
        more, unit = f"{cpus}, {memory}, {disk}", "per GPU-hour"
    else:
        title = f"{machine.cpus_total}-CPU machine"
        subtitle = machine.cpu_model or "No GPU"
        free = f"{max(0, machine.cpus_free)} of {wording.count(machine.cpus_total, 'CPU')}"
        more, unit = f"{memory}, {disk}", "per CPU-hour"
    return OfferRow(
        title=title,
        subtitle=subtitle,
        free=free,
        free_more=more,
        check=check,
        check_tone=tone,
        measured=wording.rate(offer.cpu_hash_rate or 0),
        price=format_usd(offer.price_hour_microusd),
        price_unit=unit,
        rent_url=f"/offers/{offer.id}/rent",
    )
