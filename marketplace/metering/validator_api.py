"""This will tell validators what to look at, and take in what they conclude."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from ninja.security.base import AuthBase
from pydantic import Field

from marketplace.domain.problem import Refused
from marketplace.json_body import JsonBody
from marketplace.metering import queries as metering
from marketplace.offers.actions import refresh
from marketplace.placements import queries as placements
from marketplace.verification import queries
from marketplace.verification.actions import record_scores, record_verdict, register_key
from marketplace.verification.authenticate import authenticate
from marketplace.verification.epochs import epoch_at, epoch_record, epoch_times
from marketplace.verification.models import VerdictRecord
from protocol.validator import (
    TARGETS_MOST,
    EpochRecord,
    RefusedVerdict,
    SignedScoreReport,
    SignedVerdicts,
    Target,
    VerdictsTaken,
)


class SignedByValidator(AuthBase):
    """Lets in the admitted validator that signed the request."""

    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = "X-Bittensor-Signature"
    openapi_description = (
        "sr25519 signature (0x and hex) by an admitted validator's hotkey of these lines: btauth/1,"
        " sr25519, METHOD, path with query, SHA-256 of the body in hex, nonce, hotkey, -. With it"
        " go X-Bittensor-Version: 1, X-Bittensor-Hotkey: the ss58 address, X-Bittensor-Nonce: the"
        " time in nanoseconds since 1970; 10 seconds old at most and used once."
    )

    def __call__(self, request: HttpRequest) -> str:
        """Return the validator's hotkey.

        :raises Refused: when nobody admitted signed the request.
        """
        return authenticate(
            headers=request.headers,
            method=request.method or "",
            path=request.get_full_path(),
            body=request.body,
            now=timezone.now(),
        )


router = Router(tags=["validator"], auth=SignedByValidator())


class ValidatorKeyRequest(JsonBody):
    ssh_public_key: Annotated[str, Field(max_length=500)]


class VerdictsRequest(JsonBody, SignedVerdicts):
    """Verdicts handed in together; each is taken or refused by itself."""


class ScoreReportRequest(JsonBody, SignedScoreReport):
    """What a validator scored, and its signature."""


class Recorded(Schema):
    recorded: int


@router.post("/validator/register", response={204: None})
def register(request: HttpRequest, payload: ValidatorKeyRequest) -> Status[None]:
    """Name the SSH key with which you will log in to machines."""
    register_key.register_key(
        hotkey=request.auth,  # type: ignore[attr-defined]
        ssh_public_key=payload.ssh_public_key,
    )
    return Status(204, None)


@router.get("/validator/targets", response=list[Target])
def targets(
    request: HttpRequest,
    machine_id: Annotated[list[UUID], Query(default_factory=list, max_length=TARGETS_MOST)],
) -> list[Target]:
    """List the machines that are there now, those whose verdict ends first at the front.

    With ``machine_id``, given up to 64 times: only these machines.
    """
    found = queries.targets(
        timezone.now(),
        hotkey=request.auth,  # type: ignore[attr-defined]
        machine_ids=machine_id,
        rented_at=placements.rented_at(machine_id),
        gpus_rented=placements.leased_gpus(machine_id),
    )
    return list(found)


@router.post("/validator/verdicts", response={201: VerdictsTaken})
def record_verdicts(request: HttpRequest, payload: VerdictsRequest) -> Status[VerdictsTaken]:
    """Record up to 64 signed verdicts; the machines' offers follow them at once.

    Each is taken or refused by itself: ``refused`` names those that were not, by their place, with
    status, code and sentence. A request that is malformed anywhere is refused as a whole.
    """
    now = timezone.now()
    found = record_verdict.record_all(signed=payload.verdicts, now=now)
    kept = [each for each in found if isinstance(each, VerdictRecord)]
    refresh.refresh_those(machine_ids={each.machine_id for each in kept}, now=now)
    refused = tuple(
        RefusedVerdict(number=number, status=each.status, code=each.code, detail=each.detail)
        for number, each in enumerate(found)
        if isinstance(each, Refused)
    )
    return Status(201, VerdictsTaken(recorded=len(kept), refused=refused))


@router.get("/validator/epochs/current", response=EpochRecord)
def current_epoch(request: HttpRequest) -> EpochRecord:
    """Return what the present epoch's scores are computed from."""
    return public_epoch_record()


@router.post("/validator/scores", response={201: Recorded})
def record_a_report(request: HttpRequest, payload: ScoreReportRequest) -> Status[Recorded]:
    """Record a signed report of scores."""
    return Status(
        201, Recorded(recorded=record_scores.record_scores(signed=payload, now=timezone.now()))
    )


def public_epoch_record() -> EpochRecord:
    """Return the present epoch's record with what each machine delivered so far."""
    now = timezone.now()
    epoch = epoch_at(now)
    start, _ = epoch_times(epoch)
    return epoch_record(epoch, now=now, doings=metering.doings(start, now))
