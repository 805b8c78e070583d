"""This will prepare what a host reads of one machine: what to mend, and where points are lost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.domain.money import PPM
from marketplace.domain.standing import MEANING
from marketplace.machines.queries import UPTIME_DAYS
from marketplace.offers.machine_record import MachineFacts
from marketplace.offers.models import Offer
from marketplace.pages import wording
from marketplace.pages.forms.maintenance import MaintenanceForm
from marketplace.pages.shown import machine_page
from marketplace.pages.shown.picture import Picture
from marketplace.pages.shown.rental import Moment
from protocol.validator import FindingState

#: what a host can do for each factor
ADVICE: Mapping[str, str] = {
    "efficiency": "Efficiency takes most: look for heat, power limits and other work on the cards.",
    "uptime": "Uptime takes most: stay online. A new machine is trusted in full after five days.",
    "use": "Use takes most: hours that renters pay for raise it; a lower price may bring them.",
    "refusal": "Refusals take most: let renters have what you offer; 0.02 comes back an hour.",
}


@dataclass(frozen=True, slots=True)
class Remedy:
    #: what was found
    text: str
    #: what to do; empty: the text says it
    remedy: str
    #: who found it
    source: str


@dataclass(frozen=True, slots=True)
class Score:
    factors_picture: Picture | None
    scores: Picture | None
    #: empty: nothing is lost
    advice: str
    epoch_url: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    begins: Moment
    ends: Moment
    #: how many would end with it
    rentals: str
    #: what it does to the share of time that the machine is there
    costs: str
    form: MaintenanceForm


def remedies(facts: MachineFacts) -> tuple[Remedy, ...]:
    """Return what is wrong with the machine, the worst first; each once."""
    found = {one.text: one for one in reversed(list(_remedies(facts)))}
    return tuple(reversed(found.values()))


def score(facts: MachineFacts) -> Score:
    """Return the machine's score in pictures, and what would raise it most."""
    factors = {} if facts.score is None else facts.score.factors_ppm
    losing = {name: factors[name] for name in ADVICE if factors.get(name, PPM) < PPM}
    least = min(losing, key=lambda name: losing[name], default=None)
    return Score(
        factors_picture=machine_page.factors_picture(factors),
        scores=machine_page.scores_picture(facts.scores),
        advice="" if least is None else ADVICE[least],
        epoch_url="" if facts.score is None else f"/scores/{facts.score.epoch}/",
    )


def maintenance(offer: Offer, live: int, now: datetime) -> Maintenance:
    """Return what is announced, if it is not over, and what an hour of it costs."""
    begins, ends = offer.maintenance_from, offer.maintenance_until
    if ends is not None and ends <= now:
        begins = ends = None
    hour = PPM // (UPTIME_DAYS * 24)
    costs = f"an hour takes {hour / PPM:.4f} off your reliability for 30 days."
    if begins is not None and ends is not None:
        hours = (ends - begins) / timedelta(hours=1)
        costs += f" All of it would take {min(1.0, hours * hour / PPM):.4f}."
    there = "Nothing runs there now."
    if live:
        there = f"Up to {wording.count(live, 'rental')}, stopped ones too, would end then."
    return Maintenance(Moment.of(begins), Moment.of(ends), there, costs, MaintenanceForm())


def _remedies(facts: MachineFacts) -> Iterator[Remedy]:
    standing = facts.standing
    if not facts.machine.online:
        yield Remedy(
            "The machine is not heard from, or cannot start anything.",
            "Look at the agent: systemctl status berth-agent, and berth-agent check.",
            "the site",
        )
    if standing.noted.ban_reason:
        remedy = MEANING[standing.state].remedy
        yield Remedy(standing.noted.ban_reason, remedy, "staff of the site")
    for reason in standing.reasons:
        yield Remedy(reason.message, "", "validators, in their verdict")
    if not standing.reasons and not standing.is_verified:
        meaning = MEANING[standing.state]
        yield Remedy(meaning.sentence, meaning.remedy, "the site")
    findings = () if facts.newest is None else facts.newest.verdict.findings
    for state in (FindingState.CONTRADICTION, FindingState.ODD):
        for one in findings:
            if one.state is state:
                yield Remedy(one.message, one.remedy, "a validator, looking")
