"""This will prepare offers for the lists."""

from dataclasses import dataclass

from marketplace.domain.money import format_usd
from marketplace.offers import queries
from marketplace.pages import wording


@dataclass(frozen=True, slots=True)
class OfferLine:
    title: str
    subtitle: str
    free: str
    free_more: str
    check: str
    check_tone: str
    check_reason: str
    measured: str
    measured_what: str
    longest: str
    #: what else its host says of whom and how much it is for; empty: nothing
    only: str
    price: str
    price_unit: str
    rent_url: str
    verification_url: str


def line(offer: queries.OfferRow) -> OfferLine:
    """Return the offer as a line of a list."""
    check, tone = ("Verified", "good") if offer.verified else ("Not verified", "warn")
    if not offer.online:
        check, tone = "Offline", "bad"
    return OfferLine(
        title=title(offer),
        subtitle=_subtitle(offer),
        free=_free(offer),
        free_more=_free_more(offer),
        check=check,
        check_tone=tone,
        check_reason=offer.unverified_reason,
        measured=wording.rate(offer.cpu_hash_rate or 0),
        measured_what="PBKDF2, all cores" if offer.cpu_hash_rate else "",
        longest=wording.duration(offer.longest_term_s * 1000),
        only=_only(offer),
        price=format_usd(offer.price_hour_microusd),
        price_unit="per GPU-hour" if offer.gpus else "per CPU-hour",
        rent_url=f"/offers/{offer.id}/rent",
        verification_url=f"/machines/{offer.machine_id}/verification/",
    )


def title(offer: queries.OfferRow) -> str:
    """Return what a person calls the machine: ``2 × NVIDIA H100``, ``8-CPU machine``."""
    return f"{offer.gpus} × {offer.gpu_model}" if offer.gpus else f"{offer.cpus}-CPU machine"


def _only(offer: queries.OfferRow) -> str:
    least = [wording.count(offer.gpus_min, "GPU")] if offer.gpus_min > 1 else []
    least += [wording.count(offer.cpus_min, "CPU")] if offer.cpus_min > 1 else []
    parts = [f"{' and '.join(least)} at least"] if least else []
    parts += ["For you and other guests only"] if offer.private else []
    return ". ".join(parts)


def _subtitle(offer: queries.OfferRow) -> str:
    vram = f"{wording.size(offer.vram_bytes)} VRAM each" if offer.gpus else ""
    return ", ".join(part for part in (vram, offer.cpu_model) if part) or "No GPU"


def _free(offer: queries.OfferRow) -> str:
    if offer.gpus:
        return f"{offer.gpus_free} of {wording.count(offer.gpus, 'GPU')}"
    return f"{offer.cpus_free} of {wording.count(offer.cpus, 'CPU')}"


def _free_more(offer: queries.OfferRow) -> str:
    cpus = [wording.count(offer.cpus_free, "CPU")] if offer.gpus else []
    memory = f"{wording.size(offer.ram_bytes_free)} RAM"
    disk = f"{wording.size(offer.disk_bytes_free)} disk"
    return ", ".join([*cpus, memory, disk])
