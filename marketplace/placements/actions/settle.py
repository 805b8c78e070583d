"""This will bring a machine to what its auction says: notices, stops, and starts.

It decides anew each time from the rows, so it may be killed or repeated at any moment; what is
outbid and what is let in is in domain/auction.py, and why in
docs/decisions/0034-bids-and-notices.md.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from marketplace.domain.auction import winners
from marketplace.domain.placement import OUTBID, RUNS, Event, NoTransition, PlacementState
from marketplace.domain.problem import Refused
from marketplace.machines.actions import desire, lock
from marketplace.one_by_one import one_by_one
from marketplace.placements import bidding
from marketplace.placements.actions import room
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.models import Placement
from protocol.agent import Want

logger = logging.getLogger(__name__)
MACHINES_MAX = 500
#: how often a bid that lost is looked at again, beside each time that something changes
RESUME_S = 5
RESUMES = (
    f"{OUTBID.sentence} It is stopped and its files are kept; it starts again by itself once its"
    " bid wins."
)


def settle_all(*, now: datetime) -> int:
    """Hold the auction wherever somebody waits, has a notice, or may win again; return where."""
    due = Placement.objects.filter(
        Q(state=PlacementState.WAITING)
        | Q(outbid_stop_at__isnull=False)
        | Q(resume_due_at__lte=now, machine__online=True)
    )
    machine_ids = due.order_by("machine_id").values_list("machine_id", flat=True).distinct()
    settled = one_by_one(
        machine_ids,
        lambda machine_id: settle(machine_id=machine_id, now=now),
        failed="Auction not settled",
        most=MACHINES_MAX,
    )
    return len(settled)


def settle(*, machine_id: UUID, now: datetime) -> None:
    """Hold the machine's auction; twice at the same moment changes nothing."""
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        found = bidding.read(machine_id)
        in_order = [claim.id for claim in winners(found.claims, capacity=found.capacity)]
        won = [found.placements[one] for one in in_order]
        others = {claim.id for claim in found.claims} - set(in_order)
        lost = [found.placements[one] for one in sorted(others)]
        for placement in won:
            _let_in(placement, now)
        for placement in lost:
            _keep_out(placement, now)
        # Nobody goes for nothing: what runs stays where nobody waits for its room.
        somebody_waits = any(_waits(one) for one in (*found.waiting, *won))
        told = _give_notice(lost, now) if somebody_waits else _take_back(lost)
        if told | _take_back(won):
            desire.bump(machine_id=machine_id)
        _begin(machine_id, now)


def _let_in(placement: Placement, now: datetime) -> None:
    """Start what is stopped and whose bid wins, or let it wait for whoever is outbid."""
    if placement.state == PlacementState.STOPPED and placement.is_paid(now):
        _try(placement, lambda: room.enter(placement=placement, now=now))


def _keep_out(placement: Placement, now: datetime) -> None:
    """Let what is outbid and does not run wait for its bid to win."""
    due_at = now + timedelta(seconds=RESUME_S)
    if _waits(placement):
        _stop(placement, now)
    elif placement.resume_due_at is not None and placement.resume_due_at <= now:
        still = Placement.objects.filter(id=placement.id, resume_due_at__isnull=False)
        still.update(resume_due_at=due_at)


def _give_notice(lost: Sequence[Placement], now: datetime) -> bool:
    """Tell those who are outbid, and stop those whose notice is over; return whether any is new."""
    told = False
    for placement in lost:
        if placement.state not in RUNS:
            continue
        if placement.outbid_stop_at is None:
            stop_at = now + timedelta(seconds=settings.OUTBID_NOTICE_S)
            told |= _note(placement, stop_at)
            logger.info("Outbid", extra={"placement_id": placement.id})
        elif placement.outbid_stop_at <= now:
            _stop(placement, now)
    return told


def _take_back(some: Sequence[Placement]) -> bool:
    """Take back the notices of those who may stay; return whether any had one."""
    taken = False
    for placement in some:
        if placement.state in RUNS and placement.outbid_stop_at is not None:
            taken |= _note(placement, None)
    return taken


def _note(placement: Placement, stop_at: datetime | None) -> bool:
    still = Placement.objects.filter(id=placement.id, want=Want.RUN, state__in=RUNS)
    return bool(still.update(outbid_stop_at=stop_at))


def _stop(placement: Placement, now: datetime) -> None:
    changes = {
        "stop_requested_at": now,
        "reason_code": OUTBID.code,
        "reason": RESUMES,
        "resume_due_at": now + timedelta(seconds=RESUME_S),
    }
    _try(
        placement,
        lambda: apply(placement=placement, event=Event.STOP, now=now, changes=changes),
    )


def _begin(machine_id: UUID, now: datetime) -> None:
    """Offer those who wait to the machine, as far as what they need is free by now."""
    found = bidding.read(machine_id)
    left = found.machine.free.computing
    for placement in found.waiting:
        left = left.more(placement.held)
    for placement in found.waiting if found.machine.online else ():
        if placement.held.exceeds(left) or not placement.is_paid(now):
            continue
        if _try(placement, partial(room.begin, placement=placement, now=now, changes={})):
            left = left.less(placement.held)


def _try(placement: Placement, move: Callable[[], object]) -> bool:
    """Return whether the move was made; where not, the next pass decides anew."""
    try:
        move()
    except (Refused, NoTransition, Overtaken) as error:
        logger.info("Not moved", extra={"placement_id": placement.id, "error": str(error)})
        return False
    return True


def _waits(placement: Placement) -> bool:
    return placement.state == PlacementState.WAITING
