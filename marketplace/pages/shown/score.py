"""This will prepare an epoch's scores."""

from dataclasses import dataclass

from django.conf import settings

from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment
from marketplace.verification.epochs import epoch_times
from marketplace.verification.models import EpochScore
from marketplace.verification.published import EpochScores, Judged, Miner

#: with a clone, and neither key nor account
CHECK = "manage.py recompute_scores --check-evidence"
NOT_ON_CHAIN = "Not on chain"


@dataclass(frozen=True, slots=True)
class MachineLine:
    short_id: str
    title: str
    miner: str
    miner_full: str
    points: str
    capacity: str
    efficiency: str
    uptime: str
    use: str
    refusal: str
    #: empty: no jobs
    jobs: str
    #: empty: the epoch is not closed, so there is none yet
    evidence_url: str


@dataclass(frozen=True, slots=True)
class MinerLine:
    name: str
    full: str
    machines: str
    points: str
    share: str


@dataclass(frozen=True, slots=True)
class JudgeLine:
    name: str
    hotkey: str
    short_hotkey: str
    points: str
    machines: str


@dataclass(frozen=True, slots=True)
class EpochPage:
    epoch: int
    starts: Moment
    ends: Moment
    #: None: the epoch goes on, or nobody closed it yet
    closed: Moment | None
    sha256: str
    record_url: str
    json_url: str
    reports_url: str
    check_command: str
    previous_url: str
    next_url: str
    more_url: str
    judges: tuple[JudgeLine, ...]
    agree: bool
    miners: tuple[MinerLine, ...]
    machines: tuple[MachineLine, ...]


def page(found: EpochScores) -> EpochPage:
    """Return the epoch as anyone sees it."""
    start, end = epoch_times(found.epoch)
    closed, api = found.closed, f"/api/v1/scores/{found.epoch}"
    more = found.next_place
    return EpochPage(
        epoch=found.epoch,
        starts=Moment.of(start),
        ends=Moment.of(end),
        closed=None if closed is None else Moment.of(closed.closed_at),
        sha256="" if closed is None else closed.sha256,
        record_url="" if closed is None else f"{api}/record",
        json_url=api,
        reports_url="" if closed is None else f"{api}/reports",
        check_command=f"{CHECK} --epoch {found.epoch} --url {settings.PUBLIC_URL}",
        previous_url="" if found.previous is None else f"/scores/{found.previous}/",
        next_url="" if found.next is None else f"/scores/{found.next}/",
        more_url="" if more is None else f"/scores/{found.epoch}/?cursor={more.encode()}",
        judges=tuple(_judge(one) for one in found.judges),
        agree=len({(one.points_micro, one.machines) for one in found.judges}) <= 1,
        miners=tuple(_miner(one) for one in found.miners),
        machines=tuple(_machine(one, "" if closed is None else api) for one in found.scores),
    )


def _machine(score: EpochScore, api: str) -> MachineLine:
    machine, factors = score.machine, dict(score.factors_ppm)
    gpus = f"{machine.gpus_total} × {machine.gpu_model}" if machine.gpus_total else ""
    return MachineLine(
        short_id=str(score.machine_id)[:8],
        title=gpus or f"{machine.cpus_total}-CPU machine",
        miner=_short(score.miner_hotkey),
        miner_full=score.miner_hotkey,
        points=wording.points(score.points_micro),
        capacity=wording.points(factors.get("capacity", 0)),
        efficiency=_share(factors.get("efficiency")),
        uptime=_share(factors.get("uptime")),
        use=_share(factors.get("use")),
        refusal=_share(factors.get("refusal")),
        jobs=wording.points(score.jobs_micro) if score.jobs_micro else "",
        evidence_url=f"{api}/machines/{score.machine_id}/evidence" if api else "",
    )


def _miner(miner: Miner) -> MinerLine:
    return MinerLine(
        name=_short(miner.hotkey),
        full=miner.hotkey,
        machines=wording.count(miner.machines, "machine"),
        points=wording.points(miner.points_micro),
        share=f"{miner.share_ppm / 10_000:.2f} %" if miner.hotkey else "–",
    )


def _judge(judge: Judged) -> JudgeLine:
    return JudgeLine(
        name=judge.name,
        hotkey=judge.hotkey,
        short_hotkey=_short(judge.hotkey),
        points=wording.points(judge.points_micro),
        machines=wording.count(judge.machines, "machine"),
    )


def _short(hotkey: str) -> str:
    return f"{hotkey[:6]}…{hotkey[-4:]}" if hotkey else NOT_ON_CHAIN


def _share(ppm: int | None) -> str:
    return "–" if ppm is None else f"{ppm / 1_000_000:.4f}".rstrip("0").rstrip(".")
