"""This will set money aside for a rental that is paid an hour ahead, and say how long that lasts.

Whoever renews it, starts it or changes what it costs goes through here. What may ever count in its
meter is what is held, so that nothing is charged that nobody can pay. Decided in
docs/decisions/0041-an-hour-ahead.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from marketplace.domain import funding
from marketplace.domain.delivered import agreed
from marketplace.domain.funding import AHEAD_MS, Costs
from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.placement import RUNS, PlacementState
from marketplace.domain.problem import Refused
from marketplace.domain.spending import SpendLimitReached
from marketplace.domain.terms import storage_ahead
from marketplace.ledger.actions import hold as holds
from marketplace.ledger.models import Account
from marketplace.machines.actions import desire, lock
from marketplace.metering.models import Meter, PriceChange, SideMeter
from marketplace.placements.actions import lock as placements
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from protocol.agent import Want

#: so much later than its machine knows is not worth a message
UNTOLD = timedelta(seconds=1)
RENEWED, STOPPED = (timedelta(milliseconds=ms) for ms in (funding.RENEWED_MS, funding.STOPPED_MS))
#: how soon it is looked at again: while money is missing, and while it rests
RETRY, REST = timedelta(seconds=30), timedelta(hours=1)
#: its seconds pass in these; in others nothing of it runs, or its machine has told all of it
PASSING = (PlacementState.RUNNING, PlacementState.STOPPING)


@dataclass(frozen=True, slots=True)
class Paid:
    """What is set aside for a rental now."""

    #: how much longer it may run; None: to its end
    left_ms: int | None
    #: why all of an hour could not be set aside; None: it could
    refused: Refused | None = None


def locked(rental_id: UUID) -> Rental:
    """Return the rental, locked behind its machine and its placement, in a transaction."""
    row = Rental.objects.values_list("placement__machine_id", "placement_id")
    machine_id, placement_id = row.get(id=rental_id)
    lock.lock(machine_id=machine_id)
    placements.lock(placement_ids=[placement_id])
    rows = Rental.objects.select_for_update(of=("self",))
    return rows.select_related("placement", "meter__hold").get(id=rental_id)


def held_for(rental: Rental) -> int:
    """Return all that was ever set aside for it, what was charged since too."""
    return int(Account.objects.get(id=rental.meter.hold.account_id).credits_posted)


def fund(rental: Rental, *, now: datetime, ahead_ms: int = AHEAD_MS) -> Paid:
    """Set aside what it may cost until so long from now; what is held already is not asked for.

    Call it with what ``locked`` returned, whose worst total may have been changed.

    :raises InsufficientFunds: when the wallet can't cover it.
    :raises SpendLimitReached: when a limit of its renter leaves less.
    """
    meter, costs = _costs(rental, now)
    held = _raise(rental, costs.needed(_within(rental, ahead_ms, now)), now)
    return _note(rental, meter, costs, held, now)


def fund_in_parts(rental: Rental, *, now: datetime) -> Paid:
    """Set aside the next hour, or as much of it as the balance and the limits cover.

    While more than half an hour is left nothing is asked for.
    """
    meter, costs = _costs(rental, now)
    held, refused = held_for(rental), None
    ahead_ms = costs.left_ms(held)
    if held < rental.worst_total_microusd:
        for part_ms in funding.parts(_within(rental, AHEAD_MS, now), left_ms=ahead_ms):
            try:
                held = _raise(rental, costs.needed(ahead_ms + part_ms), now)
            except (holds.InsufficientFunds, SpendLimitReached) as error:
                refused = refused or error
            else:
                ahead_ms += part_ms
                if refused is None:
                    break
    return Paid(_note(rental, meter, costs, held, now).left_ms, refused)


def note(rental: Rental, *, now: datetime) -> Paid:
    """Let its meter count as far as what is held lasts; nothing is set aside."""
    meter, costs = _costs(rental, now)
    return _note(rental, meter, costs, held_for(rental), now)


def is_about_to_run(placement: Placement) -> bool:
    """Say whether its money goes, or will as soon as its machine or its auction lets it run."""
    waits = placement.state == PlacementState.WAITING or placement.resume_due_at is not None
    return placement.state in RUNS or waits


def _costs(rental: Rental, now: datetime) -> tuple[Meter, Costs]:
    """Return the meter, locked, and what the rental costs by it."""
    meter = Meter.objects.select_for_update().get(id=rental.meter_id)
    placement = rental.placement
    passes = placement.state in PASSING
    side = SideMeter.objects.filter(meter=meter).first()
    term_ms = (placement.funded_until - now) // timedelta(milliseconds=1)
    beside = 0
    if side is not None:
        kept = storage_ahead(side.storage_price_microusd, side.disk_bytes, term_ms=term_ms)
        beside = side.traffic_microusd_max + side.storage_cost_microusd + kept
    return meter, Costs(
        priced=meter.priced,
        dearest_microusd=_dearest(rental, meter),
        proven_ms=meter.proven_ms,
        uncounted_ms=funding.uncounted_ms(
            placement.door if passes else None,
            proven_until=meter.proven_until,
            stop_requested_at=placement.stop_requested_at,
            now=now,
        ),
        beside_microusd=beside,
    )


def _dearest(rental: Rental, meter: Meter) -> int:
    """Return the most that an hour of what is not counted yet may cost.

    A price that a proof has lowered may be whole again for seconds that passed (count_proof.py).
    """
    prices: list[int] = [meter.price_hour_microusd]
    if meter.next_price_at is not None:
        waiting = PriceChange.objects.filter(meter=meter, from_ms=None)
        prices += waiting.values_list("price_hour_microusd", flat=True)
    share = rental.delivered_ppm
    whole = [price if share == PPM else agreed(price, share) + 1 for price in prices]
    return max(whole if share == PPM else [rental.price_hour_microusd, *whole])


def _within(rental: Rental, ahead_ms: int, now: datetime) -> int:
    left = (rental.placement.funded_until - now) // timedelta(milliseconds=1)
    return max(0, min(ahead_ms, left))


def _raise(rental: Rental, needed_microusd: int, now: datetime) -> int:
    """Return what is set aside in all, raised to what is needed; its worst total is the most."""
    held, wanted = held_for(rental), min(needed_microusd, rental.worst_total_microusd)
    if wanted <= held:
        return held
    holds.increase(
        hold_id=rental.meter.hold_id,
        amount_microusd=MicroUsd(wanted - held),
        # Two passes at once find different sums behind the lock, so none pays twice.
        cause=f"rental:{rental.id}:funds:{wanted}",
        now=now,
    )
    return wanted


def _note(rental: Rental, meter: Meter, costs: Costs, held: int, now: datetime) -> Paid:
    placement = rental.placement
    if held >= rental.worst_total_microusd:
        paid_ms, left_ms, until = None, None, None
    else:
        paid_ms, left_ms = costs.paid_ms(held), costs.left_ms(held)
        until = now + timedelta(milliseconds=left_ms)
    if meter.proven_ms_max != paid_ms:
        Meter.objects.filter(id=meter.id).update(proven_ms_max=paid_ms)
    before = placement.paid_until
    if before is None or until is None or not timedelta(0) <= until - before < UNTOLD:
        Placement.objects.filter(id=placement.id).update(paid_until=until)
        placement.paid_until = until
        if placement.want == Want.RUN and until != before:
            desire.bump(machine_id=placement.machine_id)
    rental.fund_due_at = _due_at(rental, until, now)
    Rental.objects.filter(id=rental.id).update(fund_due_at=rental.fund_due_at)
    return Paid(left_ms)


def _due_at(rental: Rental, until: datetime | None, now: datetime) -> datetime:
    if until is None or not is_about_to_run(rental.placement):
        return now + (RETRY if rental.files_until is not None else REST)
    if until - RENEWED > now:
        return until - RENEWED
    return max(now, min(now + RETRY, until - STOPPED))
