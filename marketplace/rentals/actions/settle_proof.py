"""This will give back what a proof shows was not delivered, and let the rental cost less from then.

Decided in docs/decisions/0042-credit-for-under-delivery.md.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q, QuerySet, Sum

from marketplace.domain import delivered
from marketplace.domain.delivered import (
    BELIEVED_WITHIN,
    COUNTED,
    DOUBTED,
    LOWERING,
    SPEAKS_FOR,
    Effect,
)
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import PPM, MicroUsd, fee_of
from marketplace.ledger.actions import return_charge
from marketplace.ledger.models import Hold, Transfer
from marketplace.metering.actions.charge import charge
from marketplace.metering.actions.scale_price import scale_price
from marketplace.metering.models import Meter, PriceChange
from marketplace.placements.models import Placement
from marketplace.rentals import bills
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.models import Rental, RentalProof

#: reasons of price changes
LESS, AGAIN, UNPROVEN = "delivered_less", "delivered_again", "delivered_unproven"
SIDES = (TransferKind.STORAGE, TransferKind.NETWORK)


def settle(
    rental: Rental,
    proof: RentalProof,
    effect: Effect,
    found_ppm: int,
    now: datetime,
    *,
    renter_is_there: bool,
) -> MicroUsd:
    """Let the rental cost this share from the proof on, and return what is given back until it.

    Of a proof that none bears out no more comes back than its renter is believed, and what comes
    costs the same as before.

    ``renter_is_there``: as ``lock_account`` said; to whoever deleted their account nothing comes.
    """
    paid_ppm = PPM if effect is Effect.ENOUGH else max(found_ppm, delivered.BROKEN_PPM)
    hold_id = Meter.objects.values_list("hold_id", flat=True).get(id=rental.meter_id)
    Meter.objects.select_for_update().get(id=rental.meter_id)
    return_charge.lock(hold_id=hold_id)
    # What is proven is charged at the old price first, so that the difference is of all of it.
    charge(meter_id=rental.meter_id, now=now)
    meter = Meter.objects.get(id=rental.meter_id)
    doubted = undecided(rental)
    # One that is decided later speaks as far back, and not further: what is older is paid out.
    said_at = now if proof.counted_at else proof.ended_at or now
    due = delivered.credit(
        min(_charged(meter, rental), _charged_since(meter, said_at - _kept())),
        paid_ppm=rental.delivered_ppm,
        delivered_ppm=paid_ppm,
    )
    # A report may have brought back what this is of (answer_report.py), or its credit ended.
    most = return_charge.left(Hold.objects.get(id=hold_id), now=now)
    back = MicroUsd(max(0, min(due - _sum(doubted), most)))
    if effect is Effect.UNCONFIRMED:
        back = min(back, _believed(rental, now))
    if not renter_is_there:
        back = MicroUsd(0)
    if back:
        return_charge.return_charge(
            hold_id=hold_id,
            amount_microusd=back,
            fee_microusd=fee_of(back, meter.fee_ppm),
            host_user_id=meter.host_id,
            cause=f"proof:{proof.id}:{'rest' if proof.counted_at else 'credit'}",
            note=f"Rental {str(rental.id)[:8]} delivered {found_ppm / 10_000:.1f} % of what was"
            f" listed (proof {str(proof.id)[:8]})",
            now=now,
        )
    if effect is Effect.UNCONFIRMED:
        return back
    if effect in LOWERING:
        # Those before it, of the same time, were right.
        doubted.update(effect=Effect.LESS)
    lower = paid_ppm < rental.delivered_ppm
    # A lower price holds for all that is not counted yet, a higher one for what comes.
    at = rental.started_at if lower else now
    _pay_for(rental, paid_ppm, at=at, reason=LESS if paid_ppm < PPM else AGAIN)
    rental.delivered_until = (proof.ended_at or now) + SPEAKS_FOR if paid_ppm < PPM else None
    rental.delivered_from_ms = meter.charged_ms
    rental.save(update_fields=["delivered_until", "delivered_from_ms"])
    return back


def undecided(rental: Rental) -> QuerySet[RentalProof]:
    """Return its proofs that none bears out or contradicts, newer than the last that counted."""
    counted = rental.proofs.filter(effect__in=COUNTED).aggregate(at=Max("counted_at"))["at"]
    doubted = rental.proofs.filter(effect=Effect.UNCONFIRMED)
    return doubted if counted is None else doubted.filter(counted_at__gt=counted)


def _believed(rental: Rental, now: datetime) -> MicroUsd:
    """Return how much more comes back to its renter for proofs that none bears out."""
    since = now - BELIEVED_WITHIN
    paid = Meter.objects.filter(
        Q(closed_at=None) | Q(closed_at__gt=since), rental__renter_id=rental.renter_id
    ).exclude(host_id=rental.renter_id)
    doubted = RentalProof.objects.filter(
        rental__renter_id=rental.renter_id, effect__in=DOUBTED, counted_at__gt=since
    )
    charged = paid.aggregate(sum=Sum("charged_microusd"))["sum"] or 0
    return delivered.believed(charged, _sum(doubted))


def _sum(proofs: QuerySet[RentalProof]) -> int:
    return proofs.aggregate(sum=Sum("returned_microusd"))["sum"] or 0


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


def end_lowered(rental_id: UUID, now: datetime) -> None:
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
    # The auctions' pass goes by it: locked by now is what comes after other placements.
    Placement.objects.filter(id=rental.placement_id).update(bid_paid_ppm=ppm)
