"""This will read who bids for a machine, as the auction's rules see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from marketplace.domain import auction
from marketplace.domain.auction import BidTooLow, Claim
from marketplace.domain.matching import OfferTaken, Slice
from marketplace.domain.money import PPM, MicroUsd, format_usd
from marketplace.domain.placement import LIVE, RUNS, PlacementState
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement

TAKEN = "On-demand renters have what this needs now; bid again later, or choose another offer."


@dataclass(frozen=True, slots=True)
class Bidding:
    """Everything that an auction of a machine goes by."""

    machine: Machine
    #: what on-demand and reserved placements leave to those who bid
    capacity: Slice
    #: of those who bid and run, are about to, or would run if their bids won
    claims: tuple[Claim, ...]
    placements: Mapping[UUID, Placement]
    #: whose room is promised to them, bidding or not, the first come first
    waiting: tuple[Placement, ...]


def read(machine_id: UUID) -> Bidding:
    """Return who bids; read it behind the machine's lock where something follows from it."""
    machine = Machine.objects.get(id=machine_id)
    found = Placement.objects.filter(
        Q(state=PlacementState.WAITING) | Q(bid_hour_microusd__isnull=False),
        machine_id=machine_id,
        state__in=LIVE,
    )
    some = list(found.order_by("created_at", "id"))
    capacity = machine.free.computing
    for placement in some:
        if placement.is_interruptible and placement.holds_compute:
            capacity = capacity.more(placement.held)
    claims = [_claim(placement, machine) for placement in some if _bids(placement, machine)]
    return Bidding(
        machine=machine,
        capacity=capacity,
        claims=tuple(claims),
        placements={placement.id: placement for placement in some},
        waiting=tuple(one for one in some if one.state == PlacementState.WAITING),
    )


def check_wins(
    *, machine_id: UUID, asked: Slice, bid_hour_microusd: int | None, but: UUID | None = None
) -> None:
    """Accept a newcomer for whom others would be outbid. None: it does not bid, and beats them all.

    ``but``: as if this placement, which is stopped, did not bid yet.

    :raises OfferTaken: when on-demand and reserved renters have what it needs.
    :raises BidTooLow: when others bid as much.
    """
    found = read(machine_id)
    if asked.computing.exceeds(found.capacity):
        raise OfferTaken(
            TAKEN
            if bid_hour_microusd is not None
            else "Somebody else took it meanwhile; choose another offer."
        )
    if bid_hour_microusd is None:
        return
    least = _least(found, asked, floor_hour_microusd=0, but=but)
    if least is None or bid_hour_microusd < least:
        raise BidTooLow(too_low(least))


def too_low(least_microusd: int | None) -> str:
    """Return what whoever bids too little is told. None: no bid wins."""
    if least_microusd is None:
        return TAKEN
    return f"Others bid as much; bids from {format_usd(MicroUsd(least_microusd))} an hour win now."


def least_bid(
    machine_id: UUID, asked: Slice, *, floor_hour_microusd: int, but: UUID | None = None
) -> MicroUsd | None:
    """Return the lowest bid of an hour that would have room now. None: none would.

    ``but``: as if this placement did not bid yet. None: of somebody new.
    """
    return _least(read(machine_id), asked, floor_hour_microusd=floor_hour_microusd, but=but)


def _least(
    found: Bidding, asked: Slice, *, floor_hour_microusd: int, but: UUID | None = None
) -> MicroUsd | None:
    return auction.least_bid(
        asked,
        [claim for claim in found.claims if claim.id != but],
        capacity=found.capacity,
        total=found.machine.total,
        floor_hour_microusd=floor_hour_microusd,
    )


def _bids(placement: Placement, machine: Machine) -> bool:
    if not placement.is_interruptible:
        return False
    if placement.state == PlacementState.STOPPED:
        return placement.resume_due_at is not None and machine.online
    # What stops or ends already only makes room.
    return placement.state in (PlacementState.WAITING, *RUNS)


def _claim(placement: Placement, machine: Machine) -> Claim:
    runs = placement.state in RUNS and placement.outbid_stop_at is None
    return Claim(
        id=placement.id,
        asked=placement.held,
        unit_bid=auction.unit_bid(
            # Whoever pays a share of their bid, as less is delivered, bids no more than that.
            (placement.bid_hour_microusd or 0) * placement.bid_paid_ppm // PPM,
            asked=placement.rented,
            total=machine.total,
        ),
        is_in=runs or placement.state == PlacementState.WAITING,
        since=placement.created_at,
    )
