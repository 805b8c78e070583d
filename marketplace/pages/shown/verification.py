"""This will prepare what anyone sees of how a machine was verified."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.domain.standing import MEANING, StandingState
from marketplace.pages import wording
from marketplace.pages.shown.machine import STATES
from marketplace.pages.shown.moment import Moment
from marketplace.verification.history import History
from marketplace.verification.models import StandingEvent
from marketplace.verification.queries import moment
from marketplace.verification.words import Spoken
from protocol.validator import FindingState, LookKind, SignedVerdict, VerdictState

LOOKS = {
    LookKind.ONBOARDING: "first proof",
    LookKind.PERIODIC: "proof at a random time",
    LookKind.CHANGE: "proof after a change",
    LookKind.DEMANDED: "proof that was asked for",
    LookKind.TOGETHER: "proof beside other machines",
    LookKind.RENTAL: "facts, as a rental began",
    LookKind.LIGHT: "facts between proofs",
}

#: worst first
FINDINGS = {
    FindingState.CONTRADICTION: ("Contradiction", "bad"),
    FindingState.ODD: ("Odd", "warn"),
}


@dataclass(frozen=True, slots=True)
class WordLine:
    validator: str
    hotkey: str
    stake: str
    state: str
    tone: str
    look: str
    made: Moment
    expires: Moment


@dataclass(frozen=True, slots=True)
class VerdictLine:
    state: str
    tone: str
    look: str
    #: what was proven; empty: nothing was asked
    proven: str
    hotkey: str
    reasons: tuple[str, ...]
    made: Moment


@dataclass(frozen=True, slots=True)
class FindingLine:
    """Where two sources of the machine do not go together."""

    code: str
    state: str
    tone: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to how a machine stands, for its host."""

    moment: Moment
    machine: str
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class VerificationPage:
    title: str
    short_id: str
    state: str
    tone: str
    meaning: str
    reasons: tuple[str, ...]
    since: Moment
    expires: Moment
    words: tuple[WordLine, ...]
    verdicts: tuple[VerdictLine, ...]
    #: of the newest verdict
    findings: tuple[FindingLine, ...]
    #: as measured last; empty: never
    disk: str
    line: str
    machine_url: str
    json_url: str
    verdicts_url: str


def page(found: History) -> VerificationPage:
    """Return the page of one machine."""
    machine, standing = found.machine, found.standing
    state, tone = STATES[standing.state]
    gpus = f"{machine.gpus_total} × {machine.gpu_model}" if machine.gpus_total else ""
    api = f"/api/v1/machines/{machine.id}"
    return VerificationPage(
        title=gpus or f"{machine.cpus_total}-CPU machine",
        short_id=str(machine.id)[:8],
        state=state,
        tone=tone,
        meaning=MEANING[standing.state].sentence,
        reasons=tuple(reason.message for reason in standing.reasons),
        since=Moment.of(standing.since),
        expires=Moment.of(standing.expires_at),
        words=tuple(_word(spoken) for spoken in standing.words),
        verdicts=tuple(verdict_line(signed) for signed in found.verdicts),
        findings=_findings(found.verdicts[:1]),
        disk=next(filter(None, map(disk, found.verdicts)), ""),
        line=next(filter(None, map(line, found.verdicts)), ""),
        machine_url=f"/machines/{machine.id}/",
        json_url=f"{api}/verification",
        verdicts_url=f"{api}/verdicts",
    )


def change(event: StandingEvent) -> Change:
    """Return one event as the machine's host sees it."""
    return Change(
        moment=Moment.of(event.at),
        machine=str(event.machine_id)[:8],
        state=STATES[StandingState(event.state)][0],
        text=event.text,
    )


def _word(spoken: Spoken) -> WordLine:
    state, tone = _shown(spoken.state)
    verdict = spoken.verdict
    return WordLine(
        validator=spoken.validator,
        hotkey=verdict.validator_hotkey,
        stake=f"{spoken.stake:,}",
        state=state,
        tone=tone,
        look=LOOKS[verdict.look],
        made=Moment.of(moment(verdict.checked_at_ms)),
        expires=Moment.of(moment(verdict.expires_at_ms)),
    )


def verdict_line(signed: SignedVerdict) -> VerdictLine:
    """Return one verdict of a list."""
    verdict = signed.verdict
    state, tone = _shown(verdict.state)
    return VerdictLine(
        state=state,
        tone=tone,
        look=LOOKS[verdict.look],
        proven=_proven(signed),
        hotkey=verdict.validator_hotkey,
        reasons=tuple(reason.message for reason in verdict.reasons),
        made=Moment.of(moment(verdict.checked_at_ms)),
    )


def _proven(signed: SignedVerdict) -> str:
    found = signed.verdict.measurement
    if found is None:
        return ""
    parts = [wording.count(len(found.gpus), "GPU")] if found.gpus else []
    parts += [wording.count(found.cpus, "CPU")] if found.cpus else []
    if found.memory_bytes_proven:
        parts.append(f"{wording.size(found.memory_bytes_proven)} RAM")
    return ", ".join(parts)


def _findings(verdicts: Sequence[SignedVerdict]) -> tuple[FindingLine, ...]:
    """Return what contradicts itself, then what is odd."""
    found = [finding for signed in verdicts for finding in signed.verdict.findings]
    return tuple(
        FindingLine(one.code, word, tone, one.message, one.remedy)
        for state, (word, tone) in FINDINGS.items()
        for one in found
        if one.state is state
    )


def disk(signed: SignedVerdict) -> str:
    """Return how fast its disk was found to be; empty: this look did not measure it."""
    found = signed.verdict.measurement
    if found is None or not found.disk_write_mb_s:
        return ""
    reads = f", {found.disk_reads_s:,} random reads/s" if found.disk_reads_s else ""
    return f"writes {found.disk_write_mb_s:,} MB/s{reads}"


def line(signed: SignedVerdict) -> str:
    """Return how fast its line was found to be; empty: this look did not measure it."""
    found = signed.verdict.measurement
    if found is None or not found.network_down_mb_s:
        return ""
    down, up = found.network_down_mb_s, found.network_up_mb_s
    return f"at least {down:,} MB/s to it and {up:,} MB/s from it"


def _shown(state: VerdictState) -> tuple[str, str]:
    return STATES[StandingState(state.value)]
