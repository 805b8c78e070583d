"""This will prepare a host's machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.money import format_usd
from marketplace.offers.models import Offer
from marketplace.pages import wording
from marketplace.pages.forms.terms import TermsForm
from marketplace.pages.queries import HostMachine
from protocol.validator import VerdictState

VERDICTS = {
    VerdictState.VERIFIED: ("Verified", "good"),
    VerdictState.DEGRADED: ("Degraded", "warn"),
    VerdictState.SUSPENDED: ("Suspended", "bad"),
}
#: Label and meaning of each factor of the score, in the order that they are shown. "refusal" is not
#: among them: nothing measures it yet, so it is 1 for every machine.
FACTORS = {
    "capacity": ("Capacity", "what its hardware is worth, in points"),
    "efficiency": ("Speed", "measured work against what such hardware does"),
    "uptime": ("Uptime", "time online; trusted in full after five days"),
    "use": ("Use", "70 % when idle, more for hours that renters pay"),
}


@dataclass(frozen=True, slots=True)
class Factor:
    label: str
    meaning: str
    value: str


@dataclass(frozen=True, slots=True)
class MachineLine:
    short_id: str
    title: str
    subtitle: str
    address: str
    presence: str
    presence_tone: str
    seen: str
    verdict: str
    verdict_tone: str
    reasons: tuple[str, ...]
    checked: str
    score: str
    #: their product is the score; empty where there is none yet
    factors: tuple[Factor, ...]
    earned: str
    free: tuple[str, ...]
    price: str
    terms_url: str
    terms: TermsForm


def line(found: HostMachine, now: datetime) -> MachineLine:
    """Return the machine as its host sees it."""
    machine, offer = found.offer.machine, found.offer
    verdict, tone = ("Not checked yet", "idle") if found.state is None else VERDICTS[found.state]
    cpus = wording.count(machine.cpus_total, "CPU")
    gpus = f"{machine.gpus_total} × {machine.gpu_model}" if machine.gpus_total else ""
    return MachineLine(
        short_id=str(machine.id)[:8],
        title=gpus or f"{machine.cpus_total}-CPU machine",
        subtitle=", ".join(part for part in (machine.cpu_model, cpus if gpus else "") if part),
        address=machine.address,
        presence="Online" if machine.online else "Offline",
        presence_tone="good" if machine.online else "bad",
        seen=wording.ago(machine.last_seen_at, now),
        verdict=verdict,
        verdict_tone=tone,
        reasons=found.reasons,
        checked="" if found.checked_at is None else wording.ago(found.checked_at, now),
        score="–" if found.points_micro is None else _points(found.points_micro),
        factors=_factors(dict(found.factors_ppm)),
        earned=format_usd(found.earned_microusd),
        free=_free(offer),
        price=_price(offer),
        terms_url=f"/host/machines/{machine.id}/terms",
        terms=terms_form(offer),
    )


def _factors(ppm_by_name: Mapping[str, int]) -> tuple[Factor, ...]:
    return tuple(
        Factor(*FACTORS[name], _points(ppm) if name == "capacity" else f"{ppm / 10_000:.3g} %")
        for name in FACTORS
        if (ppm := ppm_by_name.get(name)) is not None
    )


def _points(micro: int) -> str:
    return f"{micro / 1_000_000:.6f}".rstrip("0").rstrip(".")


def terms_form(offer: Offer) -> TermsForm:
    """Return the form with the terms that hold now."""
    initial = {
        "price_cpu_hour": format_usd(offer.price_cpu_hour_microusd).removeprefix("$"),
        "price_gpu_hour": format_usd(offer.price_gpu_hour_microusd).removeprefix("$"),
        "bid_floor": _bid_floor(offer),
        "longest_hours": f"{offer.longest_term_s / 3600:.3f}".rstrip("0").rstrip("."),
        "cpus_min": offer.cpus_min,
        "gpus_min": offer.gpus_min,
        "ends_at": offer.ends_at,
        "maintenance_from": offer.maintenance_from,
        "maintenance_until": offer.maintenance_until,
        "guests": "\n".join(guest.email for guest in offer.guests.all()),
        "listed": offer.listed,
    }
    form = TermsForm(initial=initial, auto_id=f"id_{offer.machine_id.hex[:12]}_%s")
    # The other price never applies to this machine.
    del form.fields["price_cpu_hour" if offer.machine.gpus_total else "price_gpu_hour"]
    if not offer.machine.gpus_total:
        del form.fields["gpus_min"]
    return form


def _bid_floor(offer: Offer) -> str:
    floor = offer.bid_floor_microusd
    return "" if floor is None else format_usd(floor).removeprefix("$")


def _price(offer: Offer) -> str:
    if not offer.listed and offer.machine.gpus_total:
        return "Not on the market until you set its price and tick “On the market”"
    if not offer.listed:
        return "Not on the market"
    unit = "GPU" if offer.machine.gpus_total else "CPU"
    longest = wording.duration(offer.longest_term_s * 1000)
    private = ", for your guests only" if offer.private else ""
    price = format_usd(offer.price_hour_microusd)
    return f"{price} per {unit}-hour, for {longest} at most{private}"


def _free(offer: Offer) -> tuple[str, ...]:
    machine = offer.machine
    memory = wording.size(max(0, machine.memory_bytes_free))
    disk = wording.size(max(0, machine.disk_bytes_free))
    parts = (
        f"{max(0, machine.gpus_free)} of {machine.gpus_total} GPUs" if machine.gpus_total else "",
        f"{max(0, machine.cpus_free)} of {machine.cpus_total} CPUs",
        f"{memory} of {wording.size(machine.memory_bytes_total)} RAM",
        f"{disk} of {wording.size(machine.disk_bytes_total)} disk",
    )
    return tuple(part for part in parts if part)
