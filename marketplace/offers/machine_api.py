"""This will tell anyone what there is to know of a machine, and its host what to mend, by REST."""

from datetime import date, datetime
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema

from marketplace.accounts.bearer import ApiKeyBearer, caller, viewer_id
from marketplace.domain.standing import MEANING, StandingState
from marketplace.machines.actions.name_hotkey import MachineNotYours
from marketplace.machines.models import Machine
from marketplace.offers import machine_remedies
from marketplace.offers.api import OfferReply
from marketplace.offers.machine_record import MachineFacts, of_machine
from protocol.validator import LookKind, VerdictState

router = Router(tags=["machines"], auth=None)


class DayReply(Schema):
    #: of UTC
    day: date
    #: the share of it that the machine was there, in millionths; null: it was not enrolled yet
    up_ppm: int | None


class LookReply(Schema):
    checked_at: datetime
    state: VerdictState
    look: LookKind
    validator: str


class EpochReply(Schema):
    epoch: int
    points_micro: int


class ScoreReply(Schema):
    """What the newest score was computed from; its points are the product of its factors."""

    epoch: int
    points_micro: int
    #: by name, in millionths
    factors_ppm: dict[str, int]


class MachineFactsReply(Schema):
    machine_id: UUID
    machine_key: str
    online: bool
    enrolled_at: datetime
    gpu_model: str
    gpus: int
    vram_bytes: int
    cpu_model: str
    cpus: int
    ram_bytes: int
    disk_bytes: int
    #: as validators measured it, iterations a second of one CPU; null: nobody did
    hash_rate_per_cpu: int | None
    #: of its least GPU, 10^9 int8 operations and 10^6 bytes a second; null: nobody measured them
    int8_gops: int | None
    bandwidth_mb_s: int | None
    #: of that GPU's memory, what validators filled and read back; null: nothing
    vram_bytes_proven: int | None
    state: StandingState
    #: null: it is new, or changed this minute
    since: datetime | None
    first_verified_at: datetime | None
    #: when a proof passed last; null: none did
    proven_at: datetime | None
    #: the share of the last 30 days that it was there, in millionths
    uptime_ppm: int
    #: oldest first
    days: list[DayReply]
    #: of those days, oldest first; the signed verdicts are at /machines/{machine_id}/verdicts
    looks: list[LookReply]
    #: null: nobody scored it yet
    score: ScoreReply | None
    #: oldest first
    scores: list[EpochReply]
    #: null: it is not for rent, or not to whoever asks
    offer: OfferReply | None


class RemedyReply(Schema):
    #: what was found
    text: str
    #: what to do; empty: the text says it
    remedy: str
    #: who found it
    source: str


class HostedFactsReply(MachineFactsReply):
    """What is known of a machine, as its host reads it."""

    #: what its state means
    meaning: str
    #: what is wrong with it, the worst first
    remedies: list[RemedyReply]
    #: what would raise its score most; empty: nothing is lost, or nobody scored it yet
    advice: str


@router.get("/machines/{machine_id}", response=MachineFactsReply)
def machine(request: HttpRequest, machine_id: UUID) -> MachineFactsReply:
    """Show what is known of a machine; anyone may, and with an API key sees private offers too."""
    return _reply(of_machine(machine_id, now=timezone.now(), viewer_id=viewer_id(request)))


@router.get("/host/machines/{machine_id}", response=HostedFactsReply, auth=ApiKeyBearer())
def hosted(request: HttpRequest, machine_id: UUID) -> HostedFactsReply:
    """Show what is known of your machine, what to mend of it, and what would raise its score."""
    host_id, now = caller(request).pk, timezone.now()
    if not Machine.objects.filter(id=machine_id, host_id=host_id).exists():
        raise MachineNotYours
    facts = of_machine(machine_id, now=now, viewer_id=host_id)
    return HostedFactsReply(
        **_reply(facts).dict(),
        meaning=MEANING[facts.standing.state].sentence,
        remedies=[RemedyReply.from_orm(one) for one in machine_remedies.remedies(facts)],
        advice=machine_remedies.advice(facts),
    )


def _reply(facts: MachineFacts) -> MachineFactsReply:
    found, standing, score = facts.machine, facts.standing, facts.score
    return MachineFactsReply(
        machine_id=found.id,
        machine_key=found.machine_key,
        online=found.online,
        enrolled_at=found.enrolled_at,
        gpu_model=found.gpu_model,
        gpus=found.gpus_total,
        vram_bytes=found.vram_bytes,
        cpu_model=found.cpu_model,
        cpus=found.cpus_total,
        ram_bytes=found.memory_bytes_total,
        disk_bytes=found.disk_bytes_total,
        hash_rate_per_cpu=facts.figures.hash_rate or None,
        int8_gops=facts.figures.int8_gops or None,
        bandwidth_mb_s=facts.figures.bandwidth_mb_s or None,
        vram_bytes_proven=facts.figures.vram_bytes_proven or None,
        state=standing.state,
        since=standing.since,
        first_verified_at=standing.first_verified_at,
        proven_at=standing.proven_at,
        uptime_ppm=facts.uptime_ppm,
        days=[DayReply(day=one.day, up_ppm=one.up_ppm) for one in facts.days],
        looks=[
            LookReply(checked_at=one.at, state=one.state, look=one.look, validator=one.validator)
            for one in facts.looks
        ],
        score=None
        if score is None
        else ScoreReply(
            epoch=score.epoch, points_micro=score.points_micro, factors_ppm=score.factors_ppm
        ),
        scores=[EpochReply(epoch=one.epoch, points_micro=one.points_micro) for one in facts.scores],
        offer=None if facts.offer is None else OfferReply.from_orm(facts.offer),
    )
