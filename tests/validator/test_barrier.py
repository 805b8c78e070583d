"""Proofs that begin together, on virtual time."""

import asyncio
from uuid import UUID

import pytest

from tests.validator.virtual_time import run
from validator.barrier import Barrier, GateShut

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


async def arrival(barrier: Barrier, member: UUID, after_s: float) -> float:
    await asyncio.sleep(after_s)
    await barrier.arrive(member)
    return asyncio.get_running_loop().time()


def test_all_are_let_through_within_a_tenth_of_a_second_of_the_last_ones_arrival() -> None:
    async def scene() -> list[float]:
        barrier = Barrier((ONE, TWO, THREE), wait_s_max=15)
        waits = ((ONE, 0), (TWO, 3.5), (THREE, 2))
        return await asyncio.gather(*(arrival(barrier, *wait) for wait in waits))

    passed = run(scene())
    assert max(passed) - min(passed) < 0.1
    assert min(passed) == pytest.approx(3.5)


def test_a_slow_one_holds_the_others_no_longer_than_the_wait_and_is_shut_out() -> None:
    async def scene() -> list[float | BaseException]:
        barrier = Barrier((ONE, TWO, THREE), wait_s_max=15)
        waits = ((ONE, 0), (TWO, 1), (THREE, 15.5))
        arrivals = (arrival(barrier, *wait) for wait in waits)
        return await asyncio.gather(*arrivals, return_exceptions=True)

    first, second, late = run(scene())
    assert (first, second) == (pytest.approx(15), pytest.approx(15))
    assert isinstance(late, GateShut)


def test_one_whose_look_is_over_is_waited_for_no_longer() -> None:
    async def scene() -> float:
        barrier = Barrier((ONE, TWO), wait_s_max=15)
        asyncio.get_running_loop().call_later(2, barrier.leave, TWO)
        return await arrival(barrier, ONE, 0)

    assert run(scene()) == pytest.approx(2)


def test_a_second_demand_of_the_same_look_goes_through_at_once() -> None:
    async def scene() -> float:
        barrier = Barrier((ONE,), wait_s_max=15)
        await arrival(barrier, ONE, 0)
        return await arrival(barrier, ONE, 1)

    assert run(scene()) == pytest.approx(1)


def test_a_look_that_is_called_off_lets_the_others_through_together() -> None:
    async def scene() -> float:
        barrier = Barrier((ONE, TWO, THREE), wait_s_max=15)
        called_off = asyncio.ensure_future(barrier.arrive(ONE))
        waiting = asyncio.ensure_future(arrival(barrier, TWO, 0))
        await asyncio.sleep(1)
        called_off.cancel()
        await arrival(barrier, THREE, 1)
        return await waiting

    assert run(scene()) == pytest.approx(2)
