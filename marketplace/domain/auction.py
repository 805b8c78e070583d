"""This will decide whose bids run on a machine: who is outbid, who comes in, which bid wins.

Bids are compared by what they pay for one unit of the machine, a GPU or where it has none a CPU, so
that nobody wins by asking for more of it. Disk is not bid for: who is outbid keeps theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from uuid import UUID

from marketplace.domain.matching import Slice
from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.pricing import shares
from marketplace.domain.problem import Refused

#: who is not in pays at least so much more, in millionths, than whom it outbids
STEP_PPM = 50_000
#: of who bids only now
LATEST = datetime.max.replace(tzinfo=UTC)
_STEP = Fraction(PPM + STEP_PPM, PPM)


class BidTooLow(Refused):
    """Others bid as much, and the machine has no room for all."""

    code = "bid_too_low"
    status = 409


@dataclass(frozen=True, slots=True)
class Claim:
    """A bid for a part of a machine."""

    id: UUID
    asked: Slice
    #: for an hour of one unit, in micro-USD
    unit_bid: Fraction
    #: it runs, or its room is promised to it; False: it is new, has its notice, or was outbid
    is_in: bool
    #: of two that bid the same and are both in, or both are not, the earlier one is before
    since: datetime


def unit_bid(bid_hour_microusd: int, *, asked: Slice, total: Slice) -> Fraction:
    """Return what a bid for ``asked`` pays for an hour of one unit of the machine."""
    return bid_hour_microusd / _units(asked, total)


def winners(claims: Iterable[Claim], *, capacity: Slice) -> tuple[Claim, ...]:
    """Return the claims that have room in ``capacity``, those who are before others first.

    ``capacity`` is what on-demand and reserved placements leave; it may be below zero. Each claim
    in turn has room or has not, so nobody loses who could stay beside all that are before it.
    """
    found, left = [], capacity
    for claim in sorted(claims, key=_rank):
        if not claim.asked.computing.exceeds(left):
            found.append(claim)
            left = left.less(claim.asked.computing)
    return tuple(found)


def least_bid(
    asked: Slice,
    claims: Sequence[Claim],
    *,
    capacity: Slice,
    total: Slice,
    floor_hour_microusd: int,
) -> MicroUsd | None:
    """Return the lowest bid of an hour that wins ``asked`` now, at least the host's floor.

    None: no bid does, as on-demand renters have what it needs.
    """
    steps = {floor_hour_microusd}
    for claim in claims:
        hour = claim.unit_bid * _units(asked, total)
        # Who is in is beaten by the step, who is out by anything more.
        steps.add(-floor(-hour * _STEP) if claim.is_in else floor(hour) + 1)
    for bid in sorted(step for step in steps if step >= floor_hour_microusd):
        if wins(asked, bid, claims, capacity=capacity, total=total):
            return MicroUsd(bid)
    return None


def wins(
    asked: Slice,
    bid_hour_microusd: int,
    claims: Sequence[Claim],
    *,
    capacity: Slice,
    total: Slice,
) -> bool:
    """Say whether a new bid for ``asked`` would have room."""
    new = Claim(
        id=UUID(int=0),
        asked=asked,
        unit_bid=unit_bid(bid_hour_microusd, asked=asked, total=total),
        is_in=False,
        since=LATEST,
    )
    return new in winners((*claims, new), capacity=capacity)


def _rank(claim: Claim) -> tuple[Fraction, bool, datetime, UUID]:
    """Return what sorts claims: the least rank comes first."""
    worth = claim.unit_bid if claim.is_in else claim.unit_bid / _STEP
    return (-worth, claim.is_in, claim.since, claim.id)


def _units(asked: Slice, total: Slice) -> Fraction:
    part = max(shares(asked, total=total).values(), default=Fraction(0))
    # Nothing is rented that asks for nothing; a machine may be told to have nothing, though.
    return (total.gpus or total.cpus) * part or Fraction(1)
