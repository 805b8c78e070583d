"""This will prepare offers for the lists."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlencode

from marketplace.domain.money import format_usd
from marketplace.offers import queries
from marketplace.pages import wording

NOTHING: Mapping[str, str] = MappingProxyType({})


class OfferLine(NamedTuple):
    """What a list shows of an offer."""

    title: str
    subtitle: str
    free: str
    free_more: str
    check: str
    check_tone: str
    check_reason: str
    measured: str
    measured_what: str
    #: how fast its line was measured to be at least; empty: nobody did
    line: str
    #: how quickly rentals there begin; a dash where none did lately
    starts: str
    starts_more: str
    #: of the last 30 days
    reliability: str
    longest: str
    #: what else its host says of whom and how much it is for; empty: nothing
    only: str
    price: str
    price_unit: str
    #: of one GPU or CPU, where the price is of more; empty: it is of one
    price_each: str
    rent_url: str
    verification_url: str
    machine_url: str


def line(offer: queries.OfferRow, *, begins: Mapping[str, str] = NOTHING) -> OfferLine:
    """Return the offer as a line of a list; ``begins``: what the form of a rental begins with."""
    more = f"?{urlencode(begins)}" if begins else ""
    check, tone = ("Verified", "good") if offer.verified else ("Not verified", "warn")
    if not offer.online:
        check, tone = "Offline", "bad"
    unit = "per GPU-hour" if offer.gpus else "per CPU-hour"
    each, asked = offer.price_hour_microusd, offer.price_asked_hour_microusd
    is_of_more = asked is not None and asked != each
    return OfferLine(
        title=title(offer),
        subtitle=_subtitle(offer),
        free=_free(offer),
        free_more=_free_more(offer),
        check=check,
        check_tone=tone,
        check_reason=offer.unverified_reason,
        measured=_measured(offer),
        measured_what=_measured_what(offer),
        line=line_speed(offer),
        starts="–" if offer.start_p50_ms is None else wording.seconds(offer.start_p50_ms),
        starts_more=_starts_more(offer),
        reliability=f"{offer.reliability_ppm / 10_000:.2f} % of 30 days there",
        longest=wording.duration(offer.longest_term_s * 1000),
        only=_only(offer),
        price=format_usd(asked if asked is not None else each),
        price_unit="an hour of what you ask for" if is_of_more else unit,
        price_each=f"{format_usd(each)} {unit}" if is_of_more else "",
        rent_url=f"/offers/{offer.id}/rent{more}",
        verification_url=f"/machines/{offer.machine_id}/verification/",
        machine_url=f"/machines/{offer.machine_id}/",
    )


def title(offer: queries.OfferRow) -> str:
    """Return what a person calls the machine: ``2 × NVIDIA H100``, ``8-CPU machine``."""
    return f"{offer.gpus} × {offer.gpu_model}" if offer.gpus else f"{offer.cpus}-CPU machine"


def line_speed(offer: queries.OfferRow) -> str:
    """Return how fast its line is at least; empty: nobody measured it."""
    down, up = offer.network_down_mbit_s, offer.network_up_mbit_s
    if not down or not up:
        return f"{down:,} Mbit/s down" if down else f"{up:,} Mbit/s up" if up else ""
    return f"{down:,} Mbit/s down, {up:,} up"


def _measured(offer: queries.OfferRow) -> str:
    if offer.int8_gops:
        return f"{offer.int8_gops // 1000:,} TOPS{' each' if offer.gpus > 1 else ''}"
    return "–" if offer.gpus else wording.rate(offer.cpu_hash_rate or 0)


def _measured_what(offer: queries.OfferRow) -> str:
    """Return what was measured beside it, and what that costs by the hour."""
    if not offer.gpus:
        return _hashed(offer)
    if not offer.int8_gops or not offer.bandwidth_mb_s:
        return "never proven"
    # value_microusd is of 10^15 operations a second, which are 1,000 TOPS.
    usd, part = divmod((offer.value_microusd or 0) // 100, 10_000)
    return f"{offer.bandwidth_mb_s // 1000:,} GB/s, ${usd:,}.{part:04d} per 1,000 TOPS"


def _hashed(offer: queries.OfferRow) -> str:
    if not offer.cpu_hash_rate:
        return ""
    # value_microusd is of 10^6 iterations a second.
    value = offer.value_microusd
    return "PBKDF2, all cores" if value is None else f"PBKDF2, {format_usd(value)} per 1 M/s"


def _starts_more(offer: queries.OfferRow) -> str:
    if offer.start_p95_ms is None:
        return "none began lately" if not offer.starts_failed else _came_up(offer)
    return f"95 % in {wording.seconds(offer.start_p95_ms)}, {_came_up(offer)}"


def _came_up(offer: queries.OfferRow) -> str:
    whose = " of ours" if offer.starts_ours else ""
    return f"{offer.starts} of {offer.starts + offer.starts_failed}{whose} came up"


def _only(offer: queries.OfferRow) -> str:
    least = [wording.count(offer.gpus_min, "GPU")] if offer.gpus_min > 1 else []
    least += [wording.count(offer.cpus_min, "CPU")] if offer.cpus_min > 1 else []
    parts = [f"{' and '.join(least)} at least"] if least else []
    parts += ["For you and other guests only"] if offer.private else []
    return ". ".join(parts)


def _subtitle(offer: queries.OfferRow) -> str:
    vram = f"{wording.size(offer.vram_bytes)} VRAM each" if offer.gpus else ""
    if vram and offer.vram_bytes_proven:
        vram += f" ({wording.size(offer.vram_bytes_proven)} filled)"
    where = f"host says {offer.country}" if offer.country else ""
    return ", ".join(part for part in (vram, offer.cpu_model, where) if part) or "No GPU"


def _free(offer: queries.OfferRow) -> str:
    if offer.gpus:
        return f"{offer.gpus_free} of {wording.count(offer.gpus, 'GPU')}"
    return f"{offer.cpus_free} of {wording.count(offer.cpus, 'CPU')}"


def _free_more(offer: queries.OfferRow) -> str:
    cpus = [wording.count(offer.cpus_free, "CPU")] if offer.gpus else []
    memory = f"{wording.size(offer.ram_bytes_free)} RAM"
    disk = f"{wording.size(offer.disk_bytes_free)} disk"
    return ", ".join([*cpus, memory, disk])
