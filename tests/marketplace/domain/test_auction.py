"""The auction never gives away more than there is, and nobody loses to a bid that is not better."""

from datetime import timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.auction import STEP_PPM, Claim, least_bid, unit_bid, winners, wins
from marketplace.domain.matching import Slice
from tests.marketplace.scene import NOW

GIB = 1 << 30
TOTAL = Slice(cpus=16, memory_bytes=64 * GIB, disk_bytes=100 * GIB, gpus=8)
STEP = Fraction(1_000_000 + STEP_PPM, 1_000_000)
NOTHING = Slice(cpus=0, memory_bytes=0, disk_bytes=0)


def part(gpus: int, cpus: int = 1) -> Slice:
    return Slice(cpus=cpus, memory_bytes=GIB, disk_bytes=GIB, gpus=gpus)


def room(gpus: int, cpus: int = 16) -> Slice:
    return Slice(cpus=cpus, memory_bytes=8 * GIB, disk_bytes=0, gpus=gpus)


def claim(number: int, bid: float, gpus: int, *, is_in: bool = True) -> Claim:
    return Claim(
        id=UUID(int=number),
        asked=part(gpus),
        unit_bid=Fraction(bid),
        is_in=is_in,
        since=NOW + timedelta(seconds=number),
    )


def numbers(found: tuple[Claim, ...]) -> list[int]:
    return [one.id.int for one in found]


slices = st.builds(part, st.integers(0, 8), st.integers(1, 16))
claims_of = st.lists(st.tuples(st.integers(1, 40), slices, st.booleans()), max_size=9).map(
    lambda rows: [
        Claim(UUID(int=number + 1), asked, Fraction(bid), is_in, NOW + timedelta(seconds=number))
        for number, (bid, asked, is_in) in enumerate(rows)
    ]
)
capacities = st.builds(room, st.integers(-2, 8), st.integers(-2, 16))


def sum_of(claims: list[Claim]) -> Slice:
    taken = NOTHING
    for one in claims:
        taken = taken.more(one.asked.computing)
    return taken


def beats(one: Claim, other: Claim) -> bool:
    """Say whether one may have the room of the other."""
    if one.is_in or not other.is_in:
        return one.unit_bid >= other.unit_bid
    return one.unit_bid >= other.unit_bid * STEP


@given(claims_of, capacities)
def test_no_more_is_given_away_than_there_is(claims: list[Claim], capacity: Slice) -> None:
    won = winners(claims, capacity=capacity)
    assert not won or not sum_of([*won]).exceeds(capacity)


@given(claims_of, capacities)
def test_whoever_loses_has_no_room_beside_those_that_bid_better(
    claims: list[Claim], capacity: Slice
) -> None:
    won = winners(claims, capacity=capacity)
    for loser in (one for one in claims if one not in won):
        better = [one for one in won if beats(one, loser)]
        assert loser.asked.computing.exceeds(capacity.less(sum_of(better)))
        # Nor could it stay with all that won: nobody is outbid in vain.
        assert loser.asked.computing.exceeds(capacity.less(sum_of([*won])))


@given(claims_of, capacities)
def test_the_outcome_is_the_same_when_it_is_decided_again(
    claims: list[Claim], capacity: Slice
) -> None:
    won = {one.id for one in winners(claims, capacity=capacity)}
    after = [Claim(c.id, c.asked, c.unit_bid, c.id in won, c.since) for c in claims]
    assert {one.id for one in winners(after, capacity=capacity)} == won


@given(claims_of, capacities, slices)
def test_the_least_bid_wins_and_nothing_below_it_does(
    claims: list[Claim], capacity: Slice, asked: Slice
) -> None:
    floor = 2_000_000
    known = {"capacity": capacity, "total": TOTAL}
    claims = [Claim(c.id, c.asked, c.unit_bid * 99_999, c.is_in, c.since) for c in claims]
    least = least_bid(asked, claims, floor_hour_microusd=floor, **known)
    if least is None:
        assert not wins(asked, 10**12, claims, **known)
        return
    assert least >= floor
    assert wins(asked, least, claims, **known)
    assert least == floor or not wins(asked, least - 1, claims, **known)


@pytest.mark.parametrize(("bid", "won"), [(104, [1]), (104.99, [1]), (105, [2]), (200, [2])])
def test_who_is_not_in_pays_a_step_more_than_whom_it_outbids(bid: float, won: list[int]) -> None:
    claims = [claim(1, 100, 8), claim(2, bid, 8, is_in=False)]
    assert numbers(winners(claims, capacity=room(8))) == won


def test_of_equal_bids_the_one_that_ran_first_stays() -> None:
    claims = [claim(2, 100, 4), claim(1, 100, 4), claim(3, 100, 4)]
    assert numbers(winners(claims, capacity=room(8))) == [1, 2]


def test_the_cheapest_goes_and_no_more_than_has_to() -> None:
    claims = [claim(1, 3, 2), claim(2, 2, 2), claim(3, 1, 4)]
    assert numbers(winners(claims, capacity=room(6))) == [1, 2]
    # A small one that is cheaper stays where its room is of no use.
    claims = [claim(1, 2, 4), claim(2, 1, 1)]
    assert numbers(winners(claims, capacity=room(1))) == [2]


def test_bids_are_compared_by_what_a_unit_pays() -> None:
    assert unit_bid(800, asked=part(8), total=TOTAL) == 100
    assert unit_bid(100, asked=part(1), total=TOTAL) == 100
    # Half of the CPUs are half of the machine, whatever else is asked for.
    assert unit_bid(400, asked=part(1, cpus=8), total=TOTAL) == 100
