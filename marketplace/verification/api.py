"""This will let anyone read how a machine was verified, and its host appeal, over the REST API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.standing import MEANING, StandingState
from marketplace.json_body import JsonBody
from marketplace.keyset import newest_first
from marketplace.machines.actions.name_hotkey import MachineNotYours
from marketplace.machines.models import Machine
from marketplace.verification import history
from marketplace.verification.actions import appeal as appealing
from marketplace.verification.models import WORDS_MAX, Appeal
from marketplace.verification.words import Spoken
from protocol.validator import LookKind, SignedVerdict, VerdictState

router = Router(tags=["verification"], auth=None)


class ReasonReply(Schema):
    code: str
    message: str


class WordReply(Schema):
    """What one validator says now."""

    validator: str
    #: ss58
    hotkey: str
    stake: int
    state: VerdictState
    look: LookKind
    reasons: list[ReasonReply]
    checked_at_ms: int
    expires_at_ms: int


class VerificationReply(Schema):
    machine_id: UUID
    machine_key: str
    gpu_model: str
    gpus: int
    cpu_model: str
    state: StandingState
    #: null: it is new, or changed this minute
    since: datetime | None
    #: when the state ends if no validator speaks again; null: it does not
    expires_at: datetime | None
    #: what the state means
    meaning: str
    #: what its host can do; empty: nothing is to be done
    remedy: str
    reasons: list[ReasonReply]
    #: those with the most stake first; more than half of it decides
    words: list[WordReply]


class VerdictPage(Schema):
    #: newest first; sr25519 over the canonical JSON of each verdict
    items: list[SignedVerdict]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: int | None


class AppealRequest(JsonBody):
    text: Annotated[str, Field(min_length=1, max_length=WORDS_MAX)]


class AppealReply(Schema):
    id: UUID
    text: str
    made_at: datetime
    #: null: it waits
    answered_at: datetime | None
    granted: bool
    #: the operator's sentence
    answer: str


class AppealList(Schema):
    items: list[AppealReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: UUID | None


@router.get("/machines/{machine_id}/verification", response=VerificationReply)
def verification(request: HttpRequest, machine_id: UUID) -> VerificationReply:
    """Return what a machine stands as, and which validators say so."""
    found = history.of_machine(machine_id, now=timezone.now())
    machine, standing = found.machine, found.standing
    meaning = MEANING[standing.state]
    return VerificationReply(
        machine_id=machine.id,
        machine_key=machine.machine_key,
        gpu_model=machine.gpu_model,
        gpus=machine.gpus_total,
        cpu_model=machine.cpu_model,
        state=standing.state,
        since=standing.since,
        expires_at=standing.expires_at,
        meaning=meaning.sentence,
        remedy=meaning.remedy,
        reasons=[ReasonReply(code=one.code, message=one.message) for one in standing.reasons],
        words=[_word(spoken) for spoken in standing.words],
    )


@router.get("/machines/{machine_id}/verdicts", response=VerdictPage)
def verdicts(
    request: HttpRequest,
    machine_id: UUID,
    cursor: Annotated[int | None, Query(ge=0, le=1 << 42)] = None,
) -> VerdictPage:
    """List a machine's signed verdicts, newest first, which anyone can check offline."""
    found = history.of_machine(machine_id, now=timezone.now(), before_ms=cursor)
    return VerdictPage(items=list(found.verdicts), next_cursor=found.before_ms)


@router.post(
    "/host/machines/{machine_id}/appeals", response={201: AppealReply}, auth=ApiKeyBearer()
)
def make_appeal(request: HttpRequest, machine_id: UUID, payload: AppealRequest) -> Status[Appeal]:
    """Appeal for your suspended or banned machine; the same words twice are one appeal."""
    made = appealing.appeal(
        host_id=caller(request).pk,
        machine_id=machine_id,
        text=payload.text,
        now=timezone.now(),
    )
    return Status(201, made)


@router.get("/host/machines/{machine_id}/appeals", response=AppealList, auth=ApiKeyBearer())
def list_appeals(
    request: HttpRequest, machine_id: UUID, cursor: UUID | None = None
) -> dict[str, object]:
    """List the appeals for your machine, newest first."""
    if not Machine.objects.filter(id=machine_id, host_id=caller(request).pk).exists():
        raise MachineNotYours
    page = newest_first(
        history.appeals(machine_id), at="made_at", after=cursor, rows_max=history.EVENTS_SHOWN
    )
    return {"items": list(page.items), "next_cursor": page.next_id}


def _word(spoken: Spoken) -> WordReply:
    verdict = spoken.verdict
    return WordReply(
        validator=spoken.validator,
        hotkey=verdict.validator_hotkey,
        stake=spoken.stake,
        state=spoken.state,
        look=verdict.look,
        reasons=[ReasonReply(code=one.code, message=one.message) for one in spoken.reasons],
        checked_at_ms=verdict.checked_at_ms,
        expires_at_ms=verdict.expires_at_ms,
    )
