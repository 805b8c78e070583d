"""This will set weights once: settle what is open, look, plan, write down, send, write down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

import bittensor_core

from validator import sender_lock, submissions
from validator.chain.interface import Chain, ChainSilent, ChainUnusable, Session
from validator.domain.submission import (
    Finding,
    Outcome,
    Standing,
    dead_after,
    hindrance,
    settle,
)
from validator.domain.weights import Burn, BurnTargetUnknown, NothingToSet, WeightPlan, plan


class ScoresMissing(Exception):
    """There are no scores to set; the message says why."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Scores:
    """Each miner's share of one epoch."""

    epoch: int
    share_by_hotkey: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to set weights, in whose name and how."""

    network: str
    netuid: int
    keypair: bittensor_core.Keypair
    burn: Burn
    version_key: int
    #: of everything together; what is signed within it can still be taken in a while later
    timeout_s: float
    force: bool = False

    @property
    def hotkey(self) -> str:
        """The validator's ss58 address."""
        return str(self.keypair.ss58_address)


@dataclass(frozen=True, slots=True)
class Report:
    """How it ended."""

    outcome: Outcome
    detail: str = ""
    #: None: there were none
    scores: Scores | None = None
    #: None: the chain was not reached
    block: int | None = None
    #: None: nothing was planned
    plan: WeightPlan | None = None
    extrinsic_id: str = ""
    reveal_round: int | None = None
    #: how an earlier attempt ended that nobody had seen end
    settled: str = ""


def submit(
    wish: Wish,
    *,
    chain: Chain,
    fetch: Callable[[], Scores],
    now: Callable[[], datetime],
    dry_run: bool = False,
) -> Report:
    """Set the weights, or only plan them, and say how it ended; never raises for the chain."""
    if dry_run:
        return _attempted(wish, chain, fetch, lambda scores, session: _shown(wish, scores, session))
    with sender_lock.held(network=wish.network, netuid=wish.netuid, hotkey=wish.hotkey) as mine:
        if not mine:
            return Report(Outcome.TOO_SOON, "Another set_weights is at work for this hotkey.")
        submissions.prepare()
        started_at = now()
        report = _attempted(
            wish, chain, fetch, lambda scores, session: _sent(wish, scores, session, now)
        )
        if report.plan is None and report.outcome is not Outcome.UNKNOWN:
            submissions.record(
                _subject(wish),
                Finding(report.outcome, report.detail),
                epoch=None if report.scores is None else report.scores.epoch,
                block=report.block,
                now=started_at,
            )
        return report


def _attempted(
    wish: Wish,
    chain: Chain,
    fetch: Callable[[], Scores],
    act: Callable[[Scores, Session], Report],
) -> Report:
    scores = None
    try:
        scores = fetch()
        with chain.session() as session:
            report = act(scores, session)
    except ScoresMissing as error:
        return Report(error.outcome, str(error))
    except ChainSilent as error:
        return Report(Outcome.UNREACHABLE, str(error), scores)
    except ChainUnusable as error:
        return Report(Outcome.NOT_READY, str(error), scores)
    return report


def _shown(wish: Wish, scores: Scores, session: Session) -> Report:
    standing = session.look(wish.hotkey)
    planned = _planned(wish, scores, standing)
    refusal = _hindrance(wish, standing)
    report = Report(Outcome.DRY_RUN, "nothing was sent.", scores, standing.block)
    if isinstance(planned, Finding):
        refusal = refusal or planned
    else:
        report = replace(report, plan=planned)
    if refusal is None:
        return report
    would = f"It would end as {refusal.outcome.value}: {refusal.detail}"
    return replace(report, detail=f"{report.detail} {would}")


def _sent(wish: Wish, scores: Scores, session: Session, now: Callable[[], datetime]) -> Report:
    standing = session.look(wish.hotkey)
    settled = _settled(wish, standing, now)
    if isinstance(settled, Report):
        return settled
    report = Report(Outcome.UNKNOWN, scores=scores, block=standing.block, settled=settled)
    planned = _hindrance(wish, standing) or _planned(wish, scores, standing)
    if isinstance(planned, Finding):
        return replace(report, outcome=planned.outcome, detail=planned.detail)
    row = submissions.begin(
        _subject(wish),
        epoch=scores.epoch,
        block=standing.block,
        dead_after_block=dead_after(standing.block, wish.timeout_s),
        plan=planned,
        now=now(),
    )
    sent = session.send(
        keypair=wish.keypair, share_by_uid=planned.share_by_uid, version_key=wish.version_key
    )
    submissions.finish(row, sent, now=now())
    return replace(
        report,
        outcome=sent.outcome,
        detail=sent.detail,
        plan=planned,
        extrinsic_id=sent.extrinsic_id,
        reveal_round=sent.reveal_round,
    )


def _settled(wish: Wish, standing: Standing, now: Callable[[], datetime]) -> str | Report:
    """Return how the open attempt ended, "" without one; a report where it may still land."""
    row = submissions.under_way(_subject(wish))
    if row is None:
        return ""
    finding = settle(submissions.as_attempt(row), standing)
    if finding is None and not wish.force:
        return Report(
            Outcome.UNKNOWN,
            f"An earlier attempt may be taken in until block {row.dead_after_block}, and it is"
            f" block {standing.block}: run this again later. Nothing was sent.",
            block=standing.block,
        )
    finding = finding or Finding(Outcome.UNKNOWN, "Given up on: the operator said --force.")
    submissions.settle(row, finding, now=now())
    return f"{finding.outcome.value}: {finding.detail}"


def _hindrance(wish: Wish, standing: Standing) -> Finding | None:
    return hindrance(standing, hotkey=wish.hotkey, version_key=wish.version_key, force=wish.force)


def _planned(wish: Wish, scores: Scores, standing: Standing) -> WeightPlan | Finding:
    try:
        return plan(
            share_by_hotkey=scores.share_by_hotkey,
            uid_by_hotkey=standing.uid_by_hotkey,
            burn=wish.burn,
            owner_hotkey=standing.owner_hotkey,
        )
    except (NothingToSet, BurnTargetUnknown) as error:
        return Finding(Outcome.NOT_READY, str(error))


def _subject(wish: Wish) -> dict[str, object]:
    """Return what one sender at a time is allowed for."""
    return {"network": wish.network, "netuid": wish.netuid, "hotkey": wish.hotkey}
