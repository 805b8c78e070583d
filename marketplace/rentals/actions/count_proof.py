"""This will let a proof in a rental decide what is paid: for as much as was delivered.

What follows from one is done in settle_proof.py. Decided in
docs/decisions/0042-credit-for-under-delivery.md.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions import lock_account
from marketplace.accounts.teams import shares_a_team
from marketplace.domain import delivered
from marketplace.domain.delivered import COUNTED, DOUBTED, LOWERING, SPEAKS_FOR, Effect, Figures
from marketplace.domain.rental_proof import ProofState
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions.request_stop import request_stop
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.actions.settle_proof import end_lowered, settle, undecided
from marketplace.rentals.models import Rental, RentalProof
from marketplace.telemetry import queries as telemetry
from marketplace.verification import figures
from protocol.rental_proof import SignedRentalProofReport
from protocol.validator import Measurement

logger = logging.getLogger(__name__)
#: of one pass; the next pass goes on
PROOFS_MAX = 100
STOPPED = "delivered_too_little"
WHY_STOPPED = (
    "A proof in it showed less than half of what was listed, so something in its machine has"
    " failed. Its files are kept: copy what you need and end it, or start it again and prove it."
)


def count_proofs(*, now: datetime) -> int:
    """Return how many proofs were decided, and how many lowered prices are whole again."""
    passed = RentalProof.objects.filter(state=ProofState.PASSED, counted_at=None)
    over = Rental.objects.filter(delivered_until__lte=now).order_by("delivered_until", "id")
    counted = one_by_one(
        passed.order_by("ended_at", "id").values_list("id", flat=True),
        lambda proof_id: count_proof(proof_id=proof_id, now=now),
        failed="Proof not counted",
        most=PROOFS_MAX,
    )
    again = one_by_one(
        _decidable(now),
        lambda proof_id: count_proof(proof_id=proof_id, now=now),
        failed="Proof not decided",
        most=PROOFS_MAX,
    )
    whole = one_by_one(
        over.values_list("id", flat=True),
        lambda rental_id: end_lowered(rental_id, now),
        failed="Price not whole again",
        most=PROOFS_MAX,
    )
    return len(counted) + len(again) + len(whole)


def _decidable(now: datetime) -> list[UUID]:
    """Return the proofs that none bore out and that a validator's look decides now.

    The newest comes first: it decides what is left of those before it.
    """
    doubted = RentalProof.objects.filter(effect=Effect.UNCONFIRMED, ended_at__gt=now - SPEAKS_FOR)
    newest = doubted.select_related("rental__placement").order_by("-ended_at", "-id")
    return [
        one.id
        for one in newest
        if undecided(one.rental).filter(id=one.id).exists() and _outside_ppm(one, now) is not None
    ]


def count_proof(*, proof_id: UUID, now: datetime) -> None:
    """Decide what a proof that passed means and do that, all of it or nothing.

    One that none bears out is decided again when a validator has looked, and then for good.
    """
    named = RentalProof.objects.values_list("rental_id", "rental__renter_id")
    with transaction.atomic():
        rental_id, renter_id = named.get(id=proof_id)
        is_there = lock_account.lock(user_id=renter_id)
        rental = locked(rental_id)
        proof = RentalProof.objects.select_for_update().get(id=proof_id)
        proof.rental = rental
        found, effect = _decide(rental, proof, now)
        if effect is None:
            return
        is_broken = effect is Effect.BROKEN or (
            effect is Effect.UNCONFIRMED and found is not None and found < delivered.BROKEN_PPM
        )
        if is_broken and proof.counted_at is None:
            request_stop(
                placement_id=rental.placement_id, reason_code=STOPPED, reason=WHY_STOPPED, now=now
            )
        if effect in COUNTED | {Effect.UNCONFIRMED} and found is not None:
            proof.returned_microusd += settle(
                rental, proof, effect, found, now, renter_is_there=is_there
            )
        elif effect is Effect.DISPUTED:
            undecided(rental).update(effect=effect)
        proof.effect, proof.delivered_ppm, proof.counted_at = effect, found, now
        proof.save(update_fields=["effect", "delivered_ppm", "returned_microusd", "counted_at"])
    level = logging.WARNING if effect is Effect.DISPUTED else logging.INFO
    logger.log(
        level,
        "Rental proof counted",
        extra={"proof_id": proof_id, "effect": effect.value, "returned": proof.returned_microusd},
    )


def _is_own(rental: Rental) -> bool:
    host_id = rental.placement.machine.host_id
    return host_id == rental.renter_id or shares_a_team(host_id, [rental.renter_id])


def _decide(rental: Rental, proof: RentalProof, now: datetime) -> tuple[int | None, Effect | None]:
    """Return how much counts as delivered, and what that means. No effect: nothing is to be done.

    Where a validator found more than the proof, that counts.
    """
    if proof.state != ProofState.PASSED:
        return None, None
    outside = _outside_ppm(proof, now)
    if proof.counted_at is None:
        found = _delivered_ppm(rental, proof)
        effect = delivered.effect(
            found,
            is_own=_is_own(rental),
            is_idle=_is_idle(rental, proof),
            machines=_machines(rental, now),
            outside_ppm=outside,
        )
    elif not undecided(rental).filter(id=proof.id).exists() or outside is None:
        return None, None
    else:
        found = proof.delivered_ppm or 0
        effect = delivered.borne_out(found, outside)
    if effect in LOWERING and found is not None:
        found = max(found, outside or 0)
    return found, effect


def _measured(proof: RentalProof) -> Measurement | None:
    return SignedRentalProofReport.model_validate(proof.signed).report.measurement


def _delivered_ppm(rental: Rental, proof: RentalProof) -> int | None:
    measured = _measured(proof)
    if measured is None:
        return None
    return delivered.delivered_ppm(
        Figures(**rental.listed), measured, gpu_uuids=rental.placement.gpu_uuids
    )


def _outside_ppm(proof: RentalProof, now: datetime) -> int | None:
    """Return what a validator's newest own look at the same cards, or CPUs, showed of the listed.

    None: there was none. Only looks since the rental began: those before it are what was listed.
    """
    rental, measured = proof.rental, _measured(proof)
    if measured is None or proof.ended_at is None:
        return None
    # What was proven, not what it has now: a stop gave its cards back.
    uuids = [one.uuid for one in measured.gpus] if rental.placement.gpus else []
    looks = figures.measurements(
        rental.placement.machine_id,
        since=max(rental.started_at, proof.ended_at - delivered.SEEN_BEFORE),
        now=now,
    )
    known = Figures(**rental.listed)
    shown = (delivered.delivered_ppm(known, one, gpu_uuids=uuids) for one in looks)
    return next((one for one in shown if one is not None), None)


def _is_idle(rental: Rental, proof: RentalProof) -> bool:
    placement = rental.placement
    points = telemetry.usage(
        machine_id=placement.machine_id, placement_id=placement.id, now=proof.asked_at
    )
    return delivered.is_idle(
        points,
        asked_at=proof.asked_at,
        cpus=placement.cpus,
        gpus=len(placement.gpu_uuids),
    )


def _machines(rental: Rental, now: datetime) -> int:
    """Return on how many other machines the renter's proofs showed less, lately."""
    lowering = RentalProof.objects.filter(
        rental__renter_id=rental.renter_id,
        effect__in=LOWERING | DOUBTED,
        counted_at__gt=now - delivered.MACHINES_WITHIN,
    ).exclude(rental__placement__machine_id=rental.placement.machine_id)
    return lowering.values("rental__placement__machine_id").distinct().count()
