"""This will tell validators what to look at, and take in what they conclude."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from ninja.security.base import AuthBase
from pydantic import Field

from marketplace.metering import queries as metering
from marketplace.offers.actions import refresh
from marketplace.verification import queries
from marketplace.verification.actions import record_scores, record_verdict, register_key
from marketplace.verification.authenticate import authenticate
from marketplace.verification.epochs import Delivered, epoch_at, epoch_record, epoch_times
from protocol.validator import EpochRecord, SignedScoreReport, SignedVerdict, Target


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


class KeyRequest(Schema):
    ssh_public_key: Annotated[str, Field(max_length=500)]


class Recorded(Schema):
    recorded: int


@router.post("/validator/register", response={204: None})
def register(request: HttpRequest, payload: KeyRequest) -> Status[None]:
    """Name the SSH key with which you will log in to machines."""
    register_key.register_key(
        hotkey=request.auth,  # type: ignore[attr-defined]
        ssh_public_key=payload.ssh_public_key,
    )
    return Status(204, None)


@router.get("/validator/targets", response=list[Target])
def targets(request: HttpRequest, machine_id: UUID | None = None) -> list[Target]:
    """List the machines that are there now, or one, those whose verdict ends first at the front."""
    return list(queries.targets(timezone.now(), machine_id=machine_id))


@router.post("/validator/verdicts", response={201: Recorded})
def record_a_verdict(request: HttpRequest, payload: SignedVerdict) -> Status[Recorded]:
    """Record a signed verdict; the machine's offer follows it at once."""
    now = timezone.now()
    verdict = record_verdict.record(signed=payload, now=now)
    refresh.refresh(machine_id=verdict.machine_id, now=now)
    return Status(201, Recorded(recorded=1))


@router.get("/validator/epochs/current", response=EpochRecord)
def current_epoch(request: HttpRequest) -> EpochRecord:
    """Return what the present epoch's scores are computed from."""
    return public_epoch_record()


@router.post("/validator/scores", response={201: Recorded})
def record_a_report(request: HttpRequest, payload: SignedScoreReport) -> Status[Recorded]:
    """Record a signed report of scores."""
    return Status(
        201, Recorded(recorded=record_scores.record_scores(signed=payload, now=timezone.now()))
    )


def public_epoch_record() -> EpochRecord:
    """Return the present epoch's record with what each machine delivered so far."""
    now = timezone.now()
    start, _ = epoch_times(epoch_at(now))
    found = metering.delivered(start, now)
    return epoch_record(
        now, delivered=lambda machine_id, *_: found.get(machine_id, Delivered(0, 0))
    )
