"""This will find room on a machine: what is free, or what others are outbid for."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.matching import Slice
from marketplace.domain.placement import Event
from marketplace.machines.actions import lock, reserve
from marketplace.placements import bidding
from marketplace.placements.actions.lease import lease
from marketplace.placements.actions.transition import apply
from marketplace.placements.models import Placement

#: as if its door had never been seen: it is another run, and nothing of it counts before a look;
#: but the looks that missed are kept, or a stop would forgive them
UNSEEN: Mapping[str, object] = {
    "accepted_at": None,
    "running_at": None,
    "reachable_at": None,
    "door_open_since": None,
    "door_seen_at": None,
    "door_missed_at": None,
    "look_due_at": None,
    "stop_requested_at": None,
    "reason_code": "",
    "reason": "",
    "progress": "",
}


def take(
    *,
    machine_id: UUID,
    asked: Slice,
    bid_hour_microusd: int | None,
    of: UUID | None = None,
    desired: bool = False,
) -> tuple[bool, reserve.Reserved]:
    """Return whether it is free now; where not, it is promised and has to be waited for.

    Beside it is what is known of the machine, which is locked now.

    ``of``: the stopped placement that asks. None: a new one.
    ``desired``: where it is free, its machine is told in the same statement that it is.
    Settle the auction in the same transaction.

    :raises MachineOffline: when the machine is silent.
    :raises ExceedsMachine: when the machine never has that much.
    :raises OfferTaken: when too little is left of it, whoever is outbid.
    :raises BidTooLow: when others bid as much.
    """
    bids = bid_hour_microusd is not None
    try:
        reserved = reserve.reserve(
            machine_id=machine_id, asked=asked, interruptible=bids, desired=desired
        )
    except reserve.HeldByBids:
        lock.lock(machine_id=machine_id)
        bidding.check_wins(
            machine_id=machine_id, asked=asked, bid_hour_microusd=bid_hour_microusd, but=of
        )
        reserved = reserve.reserve(
            machine_id=machine_id, asked=asked, interruptible=bids, promised=True
        )
        return False, reserved
    return True, reserved


def enter(*, placement: Placement, now: datetime) -> None:
    """Start what is stopped, or let it wait until others have made room.

    :raises Refused: as ``take`` does; then it stays stopped.
    :raises Overtaken: when something else moved it meanwhile.
    """
    with transaction.atomic():
        is_free, _ = take(
            machine_id=placement.machine_id,
            # It kept its disk.
            asked=placement.held,
            bid_hour_microusd=placement.bid_hour_microusd,
            of=placement.id,
        )
        held = {"holds_compute": True, "starts": placement.starts + 1}
        if is_free:
            begin(placement=placement, now=now, changes=held)
        else:
            changes = {**UNSEEN, **held, "gpu_uuids": []}
            apply(placement=placement, event=Event.WAIT, now=now, changes=changes)


def begin(*, placement: Placement, now: datetime, changes: Mapping[str, object]) -> None:
    """Offer a placement that has its room to its machine, with GPUs that are free.

    :raises OfferTaken: when there are too few of them.
    :raises Overtaken: when something else moved it meanwhile.
    """
    machine_id = placement.machine_id
    with transaction.atomic():
        gpu_uuids = lease(machine_id=machine_id, placement_id=placement.id, count=placement.gpus)
        apply(
            placement=placement,
            event=Event.START,
            now=now,
            changes={**UNSEEN, **changes, "gpu_uuids": gpu_uuids},
        )
