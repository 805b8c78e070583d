"""This will let a proof in a rental decide what is paid: for as much as was delivered.

Decided in docs/decisions/0042-credit-for-under-delivery.md.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum

from marketplace.domain import delivered
from marketplace.domain.delivered import COUNTED, LOWERING, SPEAKS_FOR, Effect, Figures
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.rental_proof import ProofState
from marketplace.ledger.actions import return_charge
from marketplace.ledger.models import Transfer
from marketplace.metering.actions.charge import charge
from marketplace.metering.actions.scale_price import scale_price
from marketplace.metering.models import Meter, PriceChange
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions.request_stop import request_stop
from marketplace.rentals import bills
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.models import Rental, RentalProof
from marketplace.telemetry import queries as telemetry
from protocol.rental_proof import SignedRentalProofReport

logger = logging.getLogger(__name__)
#: of one pass; the next pass goes on
PROOFS_MAX = 100
#: reasons of price changes
LESS, AGAIN, UNPROVEN = "delivered_less", "delivered_again", "delivered_unproven"
STOPPED = "delivered_too_little"
WHY_STOPPED = (
    "A proof in it showed less than half of what was listed, so something in its machine has"
    " failed. Its files are kept: copy what you need and end it, or start it again and prove it."
)
SIDES = (TransferKind.STORAGE, TransferKind.NETWORK)


def count_proofs(*, now: datetime) -> int:
    """Return how many proofs were looked at, and how many lowered prices are whole again."""
    passed = RentalProof.objects.filter(state=ProofState.PASSED, counted_at=None)
    over = Rental.objects.filter(delivered_until__lte=now).order_by("delivered_until", "id")
    counted = one_by_one(
        passed.order_by("ended_at", "id").values_list("id", flat=True),
        lambda proof_id: count_proof(proof_id=proof_id, now=now),
        failed="Proof not counted",
        most=PROOFS_MAX,
    )
    whole = one_by_one(
        over.values_list("id", flat=True),
        lambda rental_id: _end_lowered(rental_id, now),
        failed="Price not whole again",
        most=PROOFS_MAX,
    )
    return len(counted) + len(whole)


def count_proof(*, proof_id: UUID, now: datetime) -> None:
    """Decide what a proof that passed means, once, and do that, all of it or nothing."""
    with transaction.atomic():
        rental = locked(RentalProof.objects.values_list("rental_id", flat=True).get(id=proof_id))
        proof = RentalProof.objects.select_for_update().get(id=proof_id)
        if proof.counted_at is not None or proof.state != ProofState.PASSED:
            return
        found = _delivered_ppm(rental, proof)
        effect = delivered.effect(
            found,
            is_own=rental.placement.machine.host_id == rental.renter_id,
            is_idle=_is_idle(rental, proof),
            machines=_machines(rental, now),
        )
        if effect is Effect.BROKEN:
            request_stop(
                placement_id=rental.placement_id, reason_code=STOPPED, reason=WHY_STOPPED, now=now
            )
        if effect in COUNTED and found is not None:
            paid_ppm = max(found, delivered.BROKEN_PPM) if effect in LOWERING else PPM
            proof.returned_microusd = _settle(rental, proof, found, paid_ppm, now)
        proof.effect, proof.delivered_ppm, proof.counted_at = effect, found, now
        proof.save(update_fields=["effect", "delivered_ppm", "returned_microusd", "counted_at"])
    logger.info(
        "Rental proof counted",
        extra={"proof_id": proof_id, "effect": effect.value, "returned": proof.returned_microusd},
    )


def _delivered_ppm(rental: Rental, proof: RentalProof) -> int | None:
    signed = SignedRentalProofReport.model_validate(proof.signed)
    measured = signed.report.measurement
    if measured is None:
        return None
    return delivered.delivered_ppm(
        Figures(**rental.listed), measured, gpu_uuids=rental.placement.gpu_uuids
    )


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
    """Return on how many other machines the renter's proofs lowered what is paid, lately."""
    lowering = RentalProof.objects.filter(
        rental__renter_id=rental.renter_id,
        effect__in=LOWERING,
        counted_at__gt=now - delivered.MACHINES_WITHIN,
    ).exclude(rental__placement__machine_id=rental.placement.machine_id)
    return lowering.values("rental__placement__machine_id").distinct().count()


def _settle(
    rental: Rental, proof: RentalProof, found_ppm: int, paid_ppm: int, now: datetime
) -> MicroUsd:
    """Let the rental cost this share from the proof on, and return what is given back until it."""
    hold_id = Meter.objects.values_list("hold_id", flat=True).get(id=rental.meter_id)
    Meter.objects.select_for_update().get(id=rental.meter_id)
    return_charge.lock(hold_id=hold_id)
    # What is proven is charged at the old price first, so that the difference is of all of it.
    charge(meter_id=rental.meter_id, now=now)
    meter = Meter.objects.get(id=rental.meter_id)
    back = delivered.credit(
        min(_charged(meter, rental), _charged_since(meter, (proof.ended_at or now) - _kept())),
        paid_ppm=rental.delivered_ppm,
        delivered_ppm=paid_ppm,
    )
    if back:
        return_charge.return_charge(
            hold_id=hold_id,
            amount_microusd=back,
            fee_microusd=MicroUsd(back * meter.fee_ppm // PPM),
            host_user_id=meter.host_id,
            cause=f"proof:{proof.id}:credit",
            note=f"Rental {str(rental.id)[:8]} delivered {found_ppm / 10_000:.1f} % of what was"
            f" listed (proof {str(proof.id)[:8]})",
            now=now,
        )
    lower = paid_ppm < rental.delivered_ppm
    # A lower price holds for all that is not counted yet, a higher one for what comes.
    at = rental.started_at if lower else now
    _pay_for(rental, paid_ppm, at=at, reason=LESS if paid_ppm < PPM else AGAIN)
    rental.delivered_until = (proof.ended_at or now) + SPEAKS_FOR if paid_ppm < PPM else None
    rental.delivered_from_ms = meter.charged_ms
    rental.save(update_fields=["delivered_until", "delivered_from_ms"])
    return back


def _kept() -> timedelta:
    """Return how far back a proof speaks: what was paid out since would be the site's to give.

    Whoever rents from themselves by two accounts would be paid by both.
    """
    return min(SPEAKS_FOR, timedelta(days=settings.PAYOUT_HOLD_DAYS))


def _charged(meter: Meter, rental: Rental) -> int:
    """Return what was charged for time at the present share, since the last proof that counted."""
    reasons = (LESS, AGAIN, UNPROVEN)
    changes = PriceChange.objects.filter(meter=meter, reason__in=reasons)
    since_ms, newest = rental.delivered_from_ms, changes.order_by("-at", "-id").first()
    if newest is not None:
        since_ms = max(since_ms, meter.charged_ms if newest.from_ms is None else newest.from_ms)
    return meter.charged_microusd - bills.cost_until(meter, since_ms)


def _charged_since(meter: Meter, since: datetime) -> int:
    """Return what was charged for time since then; what is older is in its host's hands."""
    sides = Q()
    for side in SIDES:
        sides |= Q(cause__startswith=f"meter:{meter.id}:{side}:")
    rows = Transfer.objects.filter(
        debit__hold=meter.hold_id, kind__in=(TransferKind.CHARGE, TransferKind.FEE), at__gte=since
    ).exclude(sides)
    return rows.aggregate(sum=Sum("amount_microusd"))["sum"] or 0


def _end_lowered(rental_id: UUID, now: datetime) -> None:
    """Let the whole be paid for again: no proof says otherwise for so long."""
    with transaction.atomic():
        rental = locked(rental_id)
        until = rental.delivered_until
        if until is None or until > now:
            return
        # From now on, not from then: what a bid held meanwhile counted the lower price.
        _pay_for(rental, PPM, at=now, reason=UNPROVEN)
        rental.delivered_until = None
        rental.save(update_fields=["delivered_until"])


def _pay_for(rental: Rental, ppm: int, *, at: datetime, reason: str) -> None:
    """Let it cost this share of what was agreed on; what is held for the whole stays held."""
    if ppm == rental.delivered_ppm:
        return
    if rental.discount_lost_at is None:
        scale_price(
            meter_id=rental.meter_id,
            from_ppm=rental.delivered_ppm,
            to_ppm=ppm,
            agreed_hour_microusd=rental.price_hour_microusd,
            at=at,
            reason=reason,
        )
    rental.delivered_ppm = ppm
    rental.save(update_fields=["delivered_ppm"])
