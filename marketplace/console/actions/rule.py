"""This will settle a dispute about what a machine delivered, for its renter or for its host."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions import lock_account
from marketplace.console.models import Ruling
from marketplace.console.staff import Staff
from marketplace.domain.delivered import Effect
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.notices.actions.notify import notify
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.actions.settle_proof import settle, undecided
from marketplace.rentals.models import Rental, RentalProof


class NothingToSettle(Refused):
    code = "nothing_to_settle"
    status = 409
    sentence = "This proof is not disputed, or somebody settled it."


class Overtaken(Refused):
    code = "proof_overtaken"
    status = 409
    sentence = "A newer proof in this rental decided what is paid for; settle it for its host."


def rule(*, by: Staff, proof_id: UUID, for_renter: bool, reason: str, now: datetime) -> MicroUsd:
    """Return what comes back to the renter; both are told why.

    For the renter it counts as one that a validator bore out: the difference comes back of what is
    not paid out yet, and the rental costs less for what is left of a week. Nothing comes back to an
    account that was deleted.

    :raises NotYourRole: when they who ask may not.
    :raises OwnCase: when they are its renter or its host.
    :raises NothingToSettle: when it is not disputed, or was settled.
    :raises Overtaken: when a newer proof counted, and it would be settled for the renter.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.SETTLE)
    back = MicroUsd(0)
    with transaction.atomic():
        rows = RentalProof.objects.filter(id=proof_id)
        found = rows.values_list("rental_id", "rental__renter_id").first()
        if found is None:
            raise NothingToSettle
        rental_id, renter_id = found
        is_there = lock_account.lock(user_id=renter_id)
        rental = locked(rental_id)
        by.must_not_be(rental.renter_id, rental.meter.host_id)
        proof = RentalProof.objects.select_for_update().get(id=proof_id)
        if proof.effect != Effect.DISPUTED or Ruling.objects.filter(proof=proof).exists():
            raise NothingToSettle
        if for_renter:
            back = _for_renter(rental, proof, now, is_there=is_there)
        Ruling.objects.create(proof=proof, for_renter=for_renter, at=now)
        by.acted(
            ActKind.SETTLE,
            subject=f"proof {proof.id} in rental {rental.id}",
            reason=reason,
            person_id=rental.renter_id,
            before={"effect": Effect.DISPUTED.value},
            after={"for": "renter" if for_renter else "host", "given back": format_usd(back)},
            now=now,
        )
        _tell(rental, proof, back, for_renter=for_renter, reason=reason, now=now)
    return back


def _for_renter(rental: Rental, proof: RentalProof, now: datetime, *, is_there: bool) -> MicroUsd:
    # What it gave back while nobody had looked counts for what it gives back now.
    proof.effect = Effect.UNCONFIRMED
    proof.save(update_fields=["effect"])
    if not undecided(rental).filter(id=proof.id).exists():
        raise Overtaken
    found_ppm = proof.delivered_ppm or 0
    back = settle(rental, proof, Effect.LESS, found_ppm, now, renter_is_there=is_there)
    proof.effect, proof.counted_at = Effect.LESS, now
    proof.returned_microusd += back
    proof.save(update_fields=["effect", "counted_at", "returned_microusd"])
    return back


def _tell(
    rental: Rental,
    proof: RentalProof,
    back: MicroUsd,
    *,
    for_renter: bool,
    reason: str,
    now: datetime,
) -> None:
    name = str(rental.id)[:8]
    outcome = f"{format_usd(back)} came back." if for_renter else "Nothing comes back."
    for user_id, title, url in (
        (rental.renter_id, f"Staff settled what rental {name} delivered", f"/rentals/{rental.id}/"),
        (rental.meter.host_id, f"Staff settled what rental {name} on your machine got", "/host/"),
    ):
        notify(
            user_id=user_id,
            kind="delivered_less",
            cause=f"proof:{proof.id}:ruling",
            title=title,
            text=f"{outcome} {reason.strip()}",
            data={"url": url, "rental_id": str(rental.id)},
            now=now,
        )
