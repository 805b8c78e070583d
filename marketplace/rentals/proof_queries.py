"""This will answer which proofs rentals have, and what is in their mailboxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from marketplace.domain.delivered import SENTENCES, Effect, Figures
from marketplace.domain.problem import Refused
from marketplace.domain.rental_proof import ProofState
from marketplace.keyset import newest_first
from marketplace.machines.models import Gpu
from marketplace.rentals import queries
from marketplace.rentals.models import ProofLine, Rental, RentalProof
from marketplace.verification import relied_on
from protocol.hardware import Resources
from protocol.rental_proof import ProofAsked, ProofLines
from protocol.validator import Measurement

SHOWN_MOST = 10
#: validators ask for these every few seconds
WAITING_MOST = 50


class ProofUnknown(Refused):
    """There is no such proof, or it is somebody else's."""

    code = "not_found"
    status = 404
    sentence = "There is no such proof."


@dataclass(frozen=True, slots=True)
class ProofView:
    """A proof as the rental's renter sees it."""

    id: UUID
    state: ProofState
    detail: str
    asked_at: datetime
    #: None: it goes on
    ended_at: datetime | None
    #: ss58 of who led it; empty: nobody did
    validator: str
    #: None: there is none
    measurement: Measurement | None
    #: what it means for the price; None: nobody looked at that yet, or it did not pass
    effect: Effect | None
    #: of what was listed, in millionths; None: nobody can say
    delivered_ppm: int | None
    returned_microusd: int

    @property
    def sentence(self) -> str:
        """Return what follows from it; empty: nothing is known yet."""
        return SENTENCES[self.effect] if self.effect else ""


def proofs_page(
    rental_id: UUID, renter_id: int, *, after: UUID | None = None
) -> tuple[Sequence[ProofView], UUID | None]:
    """Return a page of the proofs of this renter's rental, newest first, and the next one's place.

    :raises RentalUnknown: when there is no such rental.
    """
    rows = queries.find(rental_id, renter_id).proofs.select_related("validator")
    page = newest_first(rows, at="asked_at", after=after, rows_max=SHOWN_MOST)
    return [view(proof) for proof in page.items], page.next_id


def proofs(rental_id: UUID, renter_id: int) -> Sequence[ProofView]:
    """Return the newest proofs of this renter's rental, newest first.

    :raises RentalUnknown: when there is no such rental.
    """
    return proofs_page(rental_id, renter_id)[0]


def view(proof: RentalProof) -> ProofView:
    """Return the proof as its renter sees it."""
    told = (proof.signed or {}).get("report", {}).get("measurement")
    return ProofView(
        id=proof.id,
        state=ProofState(proof.state),
        detail=proof.detail,
        asked_at=proof.asked_at,
        ended_at=proof.ended_at,
        validator="" if proof.validator is None else proof.validator.hotkey,
        measurement=None if told is None else Measurement.model_validate(told),
        effect=Effect(proof.effect) if proof.effect else None,
        delivered_ppm=proof.delivered_ppm,
        returned_microusd=proof.returned_microusd,
    )


def of_renter(proof_id: UUID, rental_id: UUID, renter_id: int) -> RentalProof:
    """Return one proof of this renter's rental.

    :raises ProofUnknown: when there is none.
    """
    found = RentalProof.objects.filter(
        id=proof_id, rental_id=rental_id, rental__renter_id=renter_id
    ).first()
    if found is None:
        raise ProofUnknown
    return found


def of_validator(proof_id: UUID, hotkey: str) -> RentalProof:
    """Return one proof that this validator leads.

    :raises ProofUnknown: when there is none.
    """
    found = RentalProof.objects.filter(id=proof_id, validator__hotkey=hotkey).first()
    if found is None:
        raise ProofUnknown
    return found


def listed(rental_id: UUID) -> Figures:
    """Return the figures of its machine at its start, which its proofs are held against."""
    return Figures(**Rental.objects.values_list("listed", flat=True).get(id=rental_id))


def waiting(now: datetime, hotkey: str) -> list[ProofAsked]:
    """Return the proofs that this validator may lead, the oldest first."""
    if not relied_on.validators(now).filter(hotkey=hotkey).exists():
        return []
    asked = RentalProof.objects.filter(state=ProofState.ASKED, expires_at__gt=now).select_related(
        "rental__placement__machine"
    )
    return [_asked(proof) for proof in asked.order_by("asked_at", "id")[:WAITING_MOST]]


def heard(proof: RentalProof, *, by_validator: bool, after: int) -> ProofLines:
    """Return the lines of one side from the number ``after`` on, and whether that was all."""
    lines = ProofLine.objects.filter(
        proof=proof, by_validator=by_validator, number__gte=after
    ).order_by("number")
    ended = not RentalProof.objects.filter(id=proof.id, ended_at=None).exists()
    return ProofLines(first=after, lines=tuple(lines.values_list("text", flat=True)), ended=ended)


def _asked(proof: RentalProof) -> ProofAsked:
    placement = proof.rental.placement
    asked = Resources.model_validate(placement.workload["resources"])
    # A part of a card shares its power with others: it shows too little.
    whole = [uuid for uuid in placement.gpu_uuids if uuid.startswith("GPU-") and "/" not in uuid]
    cards = Gpu.objects.filter(machine_id=placement.machine_id, uuid__in=whole)
    return ProofAsked(
        proof_id=proof.id,
        machine_id=placement.machine_id,
        machine_key=placement.machine.machine_key,
        cpus=asked.cpu.count,
        memory_bytes=asked.ram.capacity,
        gpus=dict(cards.order_by("uuid").values_list("uuid", "model")),
    )
