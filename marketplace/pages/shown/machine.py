"""This will prepare a host's machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.money import field_usd, format_usd
from marketplace.domain.standing import MEANING, StandingState
from marketplace.offers.models import Offer
from marketplace.pages import wording
from marketplace.pages.forms.hotkey import HotkeyForm
from marketplace.pages.forms.terms import TermsForm
from marketplace.pages.queries import HostMachine
from marketplace.verification.models import Appeal

STATES = {
    StandingState.NEW: ("Not checked yet", "idle"),
    StandingState.VERIFIED: ("Verified", "good"),
    StandingState.DEGRADED: ("Degraded", "warn"),
    StandingState.SUSPENDED: ("Suspended", "bad"),
    StandingState.BANNED: ("Banned", "bad"),
}
#: label and meaning of each factor of the score, in the order that they are shown
FACTORS = {
    "capacity": ("Capacity", "what its hardware is worth, in points"),
    "efficiency": ("Efficiency", "measured work against what such hardware does"),
    "uptime": ("Uptime", "time online; trusted in full after five days"),
    "use": ("Use", "70 % when idle, more for hours that renters pay"),
    "refusal": ("Refusal", "all of it while it refuses nothing that it has room for"),
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
    #: what the state means, where it is no good one, and what to do
    meaning: str
    remedy: str
    reasons: tuple[str, ...]
    #: since when, and how many validators say so
    since: str
    checked: str
    verification_url: str
    public_url: str
    #: empty: there is nothing to appeal, or one waits
    appeal_url: str
    #: what became of the newest appeal; empty: there never was one
    appeal: str
    score: str
    #: their product is the score; empty where there is none yet
    factors: tuple[Factor, ...]
    earned: str
    free: tuple[str, ...]
    price: str
    terms_url: str
    propose_url: str
    terms: TermsForm
    #: ss58 of who earns its emission; empty: nobody
    miner_hotkey: str
    hotkey_url: str
    hotkey: HotkeyForm


def line(found: HostMachine, now: datetime) -> MachineLine:
    """Return the machine as its host sees it."""
    machine, offer = found.offer.machine, found.offer
    verdict, tone = STATES[found.state]
    meaning = MEANING[found.state]
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
        meaning="" if meaning.listed else meaning.sentence,
        remedy=meaning.remedy,
        reasons=found.reasons,
        since=_since(found, now),
        checked="" if found.checked_at is None else wording.ago(found.checked_at, now),
        verification_url=f"/machines/{machine.id}/verification/",
        public_url=f"/machines/{machine.id}/",
        appeal_url=_appeal_url(found),
        appeal=_appeal(found.appeal, now),
        score="–" if found.points_micro is None else wording.points(found.points_micro),
        factors=_factors(dict(found.factors_ppm)),
        earned=format_usd(found.earned_microusd),
        free=_free(offer),
        price=_price(offer),
        terms_url=f"/host/machines/{machine.id}/terms",
        propose_url=f"/host/machines/{machine.id}/propose",
        terms=terms_form(offer),
        miner_hotkey=machine.miner_hotkey,
        hotkey_url=f"/host/machines/{machine.id}/hotkey",
        hotkey=HotkeyForm(auto_id=f"id_{machine.id.hex[:12]}_%s"),
    )


def _since(found: HostMachine, now: datetime) -> str:
    said = f"by {wording.count(found.validators, 'validator')}" if found.validators else ""
    since = "" if found.since is None else wording.ago(found.since, now)
    return ", ".join(part for part in (since, said) if part)


def _appeal_url(found: HostMachine) -> str:
    waits = found.appeal is not None and found.appeal.answered_at is None
    if waits or not MEANING[found.state].appealable:
        return ""
    return f"/host/machines/{found.offer.machine_id}/appeal"


def _appeal(appeal: Appeal | None, now: datetime) -> str:
    if appeal is None:
        return ""
    if appeal.answered_at is None:
        made = wording.ago(appeal.made_at, now)
        return f"Your appeal, made {made}, waits for the operator’s answer."
    outcome = "granted" if appeal.granted else "refused"
    answered = wording.ago(appeal.answered_at, now)
    return f"Your appeal was {outcome} {answered}: {appeal.answer}"


def _factors(ppm_by_name: Mapping[str, int]) -> tuple[Factor, ...]:
    return tuple(
        Factor(
            *FACTORS[name], wording.points(ppm) if name == "capacity" else f"{ppm / 10_000:.3g} %"
        )
        for name in FACTORS
        if (ppm := ppm_by_name.get(name)) is not None
    )


def _factor(name: str, ppm: int) -> str:
    return wording.points(ppm) if name == "capacity" else f"{ppm / 10_000:.3g} %"


def terms_form(offer: Offer) -> TermsForm:
    """Return the form with the terms that hold now."""
    initial = {
        "price_cpu_hour": field_usd(offer.price_cpu_hour_microusd),
        "price_gpu_hour": field_usd(offer.price_gpu_hour_microusd),
        "bid_floor": _bid_floor(offer),
        "discounts": "\n".join(
            f"{step['days']}: {wording.percent(step['discount_ppm'])}" for step in offer.discounts
        ),
        "storage_price": _price_gb(offer.storage_price_microusd),
        "network_price": _price_gb(offer.network_price_microusd),
        "longest_hours": f"{offer.longest_term_s / 3600:.3f}".rstrip("0").rstrip("."),
        "cpus_min": offer.cpus_min,
        "gpus_min": offer.gpus_min,
        "country": offer.country,
        "ends_at": offer.ends_at,
        "guests": "\n".join(guest.email for guest in offer.guests.all()),
        "listed": offer.listed,
    }
    form = TermsForm(initial=initial, auto_id=f"id_{offer.machine_id.hex[:12]}_%s")
    # The other price never applies to this machine.
    del form.fields["price_cpu_hour" if offer.machine.gpus_total else "price_gpu_hour"]
    if not offer.machine.gpus_total:
        del form.fields["gpus_min"]
    return form


def _price_gb(price_microusd: int) -> str:
    return field_usd(price_microusd) if price_microusd else ""


def _bid_floor(offer: Offer) -> str:
    floor = offer.bid_floor_microusd
    return "" if floor is None else field_usd(floor)


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
        f"{max(0, machine.gpus_free)} of {wording.count(machine.gpus_total, 'GPU')}"
        if machine.gpus_total
        else "",
        f"{max(0, machine.cpus_free)} of {wording.count(machine.cpus_total, 'CPU')}",
        f"{memory} of {wording.size(machine.memory_bytes_total)} RAM",
        f"{disk} of {wording.size(machine.disk_bytes_total)} disk",
    )
    return tuple(part for part in parts if part)
