"""This will prepare a host's machines."""

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


@dataclass(frozen=True, slots=True)
class MachineLine:
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
    #: each factor of the score: name and value
    factors: tuple[tuple[str, str], ...]
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
        score="–" if found.points_micro is None else f"{found.points_micro / 1_000_000:.3f}",
        factors=tuple((name, f"{ppm / 1_000_000:.2f}") for name, ppm in found.factors_ppm),
        earned=format_usd(found.earned_microusd),
        free=_free(offer),
        price=_price(offer),
        terms_url=f"/host/machines/{machine.id}/terms",
        terms=terms_form(offer),
    )


def terms_form(offer: Offer) -> TermsForm:
    """Return the form with the terms that hold now."""
    initial = {
        "price_cpu_hour": format_usd(offer.price_cpu_hour_microusd).removeprefix("$"),
        "price_gpu_hour": format_usd(offer.price_gpu_hour_microusd).removeprefix("$"),
        "bid_floor": _bid_floor(offer),
        "listed": offer.listed,
    }
    form = TermsForm(initial=initial, auto_id=f"id_{offer.machine_id.hex[:12]}_%s")
    if not offer.machine.gpus_total:
        del form.fields["price_gpu_hour"]
    return form


def _bid_floor(offer: Offer) -> str:
    floor = offer.bid_floor_microusd
    return "" if floor is None else format_usd(floor).removeprefix("$")


def _price(offer: Offer) -> str:
    if not offer.listed:
        return "Not on the market"
    unit = "GPU" if offer.machine.gpus_total else "CPU"
    return f"{format_usd(offer.price_hour_microusd)} per {unit}-hour"


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
