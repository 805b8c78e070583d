"""This will serve the proofs of rentals: to renters, and to the validators that lead them."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.db import close_old_connections
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.delivered import Effect
from marketplace.domain.rental_proof import ProofState
from marketplace.json_body import JsonBody
from marketplace.metering.validator_api import SignedByValidator
from marketplace.rentals import proof_queries
from marketplace.rentals.actions import ask_proof, end_proof, say_in_proof
from protocol.rental_proof import (
    LINES_MOST,
    WAIT_S_MAX,
    ProofAsked,
    ProofLines,
    SignedRentalProofReport,
)
from protocol.validator import Measurement

router = Router(tags=["rentals"], auth=ApiKeyBearer())
validator_router = Router(tags=["validator"], auth=SignedByValidator())

#: between two looks into a mailbox while a call is held open
LOOK_S = 0.05
#: proof and whether the validator's lines are waited for -> the call that is held
_newest: dict[tuple[UUID, bool], object] = {}
After = Annotated[int, Query(ge=0, le=LINES_MOST)]
WaitS = Annotated[float, Query(ge=0, le=WAIT_S_MAX)]


class ProofReply(Schema):
    """A proof inside a rental, which a validator leads."""

    id: UUID
    state: ProofState
    detail: str
    asked_at: datetime
    ended_at: datetime | None
    validator: str
    measurement: Measurement | None
    #: what it means for the price; null: it is not decided yet, or it did not pass
    effect: Effect | None
    #: of what was listed, in millionths; null: nobody can say
    delivered_ppm: int | None
    #: of what was charged, given back for it
    returned_microusd: int
    #: what follows from it; empty: nothing is decided yet
    sentence: str

    @classmethod
    def of(cls, view: proof_queries.ProofView) -> "ProofReply":
        """Return the reply that shows ``view``."""
        return cls(**{name: getattr(view, name) for name in cls.model_fields})


class ProofList(Schema):
    items: list[ProofReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: UUID | None


class ProofLinesRequest(JsonBody, ProofLines):
    """What one side of a proof says."""


class ProofReportRequest(JsonBody, SignedRentalProofReport):
    """How a proof has ended, and its validator's signature."""


@router.post("/rentals/{rental_id}/proofs", response={201: ProofReply})
def ask(request: HttpRequest, rental_id: UUID) -> Status[ProofReply]:
    """Ask for a proof of what the rental really is; a validator leads it through its mailbox."""
    now = timezone.now()
    proof = ask_proof.ask(rental_id=rental_id, renter_id=caller(request).pk, now=now)
    return Status(201, ProofReply.of(proof_queries.view(proof)))


@router.get("/rentals/{rental_id}/proofs", response=ProofList)
def proofs(request: HttpRequest, rental_id: UUID, cursor: UUID | None = None) -> ProofList:
    """List the rental's proofs, newest first."""
    found, next_cursor = proof_queries.proofs_page(rental_id, caller(request).pk, after=cursor)
    return ProofList(items=[ProofReply.of(view) for view in found], next_cursor=next_cursor)


@router.post("/rentals/{rental_id}/proofs/{proof_id}/lines", response={204: None})
def say(
    request: HttpRequest, rental_id: UUID, proof_id: UUID, payload: ProofLinesRequest
) -> Status[None]:
    """Hand in what the prover in the rental said, line by line; ``ended``: it goes on no more."""
    now = timezone.now()
    proof = proof_queries.of_renter(proof_id, rental_id, caller(request).pk)
    if payload.ended:
        end_proof.give_up(proof=proof, now=now)
    else:
        said = payload.lines
        say_in_proof.say(proof=proof, by_validator=False, first=payload.first, lines=said, now=now)
    return Status(204, None)


@router.get("/rentals/{rental_id}/proofs/{proof_id}/lines", response=ProofLines)
def hear(
    request: HttpRequest, rental_id: UUID, proof_id: UUID, after: After = 0, wait_s: WaitS = 0
) -> ProofLines:
    """Return what the validator said, from the line with the number ``after`` on."""
    proof = proof_queries.of_renter(proof_id, rental_id, caller(request).pk)
    return held(
        (proof_id, True),
        lambda: proof_queries.heard(proof, by_validator=True, after=after),
        wait_s,
    )


@validator_router.get("/validator/rental-proofs", response=list[ProofAsked])
def waiting(request: HttpRequest) -> list[ProofAsked]:
    """List the proofs of rentals that wait for a validator."""
    return proof_queries.waiting(timezone.now(), _hotkey(request))


@validator_router.post("/validator/rental-proofs/reports", response={204: None})
def report(request: HttpRequest, payload: ProofReportRequest) -> Status[None]:
    """Hand in how a proof that you lead has ended, signed."""
    end_proof.record(signed=payload, hotkey=_hotkey(request), now=timezone.now())
    return Status(204, None)


@validator_router.post("/validator/rental-proofs/{proof_id}/claim", response={204: None})
def claim(request: HttpRequest, proof_id: UUID) -> Status[None]:
    """Lead a proof: from here on nobody else does."""
    ask_proof.take(proof_id=proof_id, hotkey=_hotkey(request), now=timezone.now())
    return Status(204, None)


@validator_router.post("/validator/rental-proofs/{proof_id}/lines", response={204: None})
def demand(request: HttpRequest, proof_id: UUID, payload: ProofLinesRequest) -> Status[None]:
    """Say something to the prover in the rental."""
    proof = proof_queries.of_validator(proof_id, _hotkey(request))
    say_in_proof.say(
        proof=proof,
        by_validator=True,
        first=payload.first,
        lines=payload.lines,
        now=timezone.now(),
    )
    return Status(204, None)


@validator_router.get("/validator/rental-proofs/{proof_id}/lines", response=ProofLines)
def answers(
    request: HttpRequest, proof_id: UUID, after: After = 0, wait_s: WaitS = 0
) -> ProofLines:
    """Return what the prover in the rental said."""
    proof = proof_queries.of_validator(proof_id, _hotkey(request))
    return held(
        (proof_id, False),
        lambda: proof_queries.heard(proof, by_validator=False, after=after),
        wait_s,
    )


def _hotkey(request: HttpRequest) -> str:
    return str(request.auth)  # type: ignore[attr-defined]


def held(side: tuple[UUID, bool], look: Callable[[], ProofLines], wait_s: float) -> ProofLines:
    """Look until there is something, for as long as the caller waits.

    Each held call has a thread. So of one side of a proof the newest call is held alone, and the
    one before it is answered; and none keeps a connection to the database, of which there are few.
    """
    until, mine = time.monotonic() + wait_s, object()
    _newest[side] = mine
    try:
        while True:
            found = look()
            over = time.monotonic() >= until or _newest.get(side) is not mine
            if found.lines or found.ended or over:
                return found
            close_old_connections()
            time.sleep(LOOK_S)
    finally:
        if _newest.get(side) is mine:
            del _newest[side]
