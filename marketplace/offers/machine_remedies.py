"""This will say what a host can mend of a machine, and where its score is lost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from marketplace.domain.money import PPM
from marketplace.domain.standing import MEANING
from marketplace.offers.machine_record import MachineFacts
from protocol.validator import FindingState

#: what a host can do for each factor
ADVICE: Mapping[str, str] = {
    "efficiency": "Efficiency takes most: look for heat, power limits and other work on the cards.",
    "uptime": "Uptime takes most: stay online. A new machine is trusted in full after five days.",
    "use": "Use takes most: hours that renters pay for raise it; a lower price may bring them.",
    "refusal": "Refusals take most: let renters have what you offer; 0.02 comes back an hour.",
}
#: so many starts that fail, for each million that came up, are no matter of the machine's
FEW_PPM = 50_000


@dataclass(frozen=True, slots=True)
class Remedy:
    #: what was found
    text: str
    #: what to do; empty: the text says it
    remedy: str
    #: who found it
    source: str


def remedies(facts: MachineFacts) -> tuple[Remedy, ...]:
    """Return what is wrong with the machine, the worst first; each once."""
    found = {one.text: one for one in reversed(list(_remedies(facts)))}
    return tuple(reversed(found.values()))


def advice(facts: MachineFacts) -> str:
    """Return what would raise the machine's score most; empty: nothing is lost, or known."""
    factors = {} if facts.score is None else facts.score.factors_ppm
    losing = {name: factors[name] for name in ADVICE if factors.get(name, PPM) < PPM}
    least = min(losing, key=lambda name: losing[name], default=None)
    return "" if least is None else ADVICE[least]


def _remedies(facts: MachineFacts) -> Iterator[Remedy]:
    standing, machine = facts.standing, facts.machine
    if not machine.online:
        yield Remedy(
            machine.problem or "The machine is not heard from.",
            "Look at the agent: systemctl status berth-agent, and berth-agent check.",
            "the agent, when it was last heard" if machine.problem else "the site",
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
    if facts.offer is not None and facts.offer.starts_failed * PPM > facts.offer.starts * FEW_PPM:
        begun = facts.offer.starts + facts.offer.starts_failed
        # Strangers' doors may be shut by who is inside and are not counted; where some came up, the
        # ports are open.
        shut = facts.offer.starts_ours and not facts.offer.starts
        ports = f"TCP ports {machine.port_first} to {machine.port_last}"
        yield Remedy(
            f"{facts.offer.starts_failed} of {begun} rentals in 30 days did not come up.",
            f"Let {ports} in from the internet, in its firewall and router."
            if shut
            else "Read what the agent says of them: journalctl -u berth-agent.",
            "rentals of the site" if facts.offer.starts_ours else "rentals",
        )
