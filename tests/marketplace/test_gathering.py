import asyncio
from collections.abc import Sequence

import pytest

from marketplace.gathering import Gathering


class Scribe:
    """Notes which items came together, and answers each with its double."""

    def __init__(self) -> None:
        self.took: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.took.append(list(items))
        if 13 in items:
            raise ArithmeticError
        return [ValueError() if item < 0 else 2 * item for item in items]


def gathering(scribe: Scribe, *, at_once_max: int = 10, every_s: float = 0) -> Gathering[int, int]:
    return Gathering(scribe, every_s=every_s, at_once_max=at_once_max)


async def test_what_comes_together_is_answered_together() -> None:
    scribe = Scribe()
    of = gathering(scribe, at_once_max=3)
    assert await asyncio.gather(*(of.put(item) for item in range(5))) == [0, 2, 4, 6, 8]
    assert scribe.took == [[0, 1, 2], [3, 4]]


async def test_the_first_after_a_quiet_while_does_not_wait() -> None:
    of = gathering(Scribe(), every_s=3600)
    async with asyncio.timeout(5):
        assert await of.put(1) == 2


async def test_each_has_its_own_answer_and_its_own_refusal() -> None:
    of = gathering(Scribe())
    told = await asyncio.gather(of.put(1), of.put(-1), of.put(2), return_exceptions=True)
    assert (told[0], type(told[1]), told[2]) == (2, ValueError, 4)


async def test_who_left_keeps_nobody_waiting() -> None:
    of = gathering(Scribe())
    leaving = asyncio.create_task(of.put(1))
    await asyncio.sleep(0)
    leaving.cancel()
    async with asyncio.timeout(5):
        assert await of.put(2) == 4
        assert await of.put(3) == 6


async def test_after_a_failure_the_next_are_answered() -> None:
    of = gathering(Scribe())
    with pytest.raises(ArithmeticError):
        await of.put(13)
    assert await of.put(1) == 2


def test_another_loop_begins_anew() -> None:
    scribe = Scribe()
    of = gathering(scribe, every_s=3600)

    async def ask_in_vain() -> None:
        await of.put(1)
        asyncio.create_task(of.put(2))  # noqa: RUF006
        await asyncio.sleep(0)

    asyncio.run(ask_in_vain())
    other = gathering(scribe)
    other._waiting, other._task = of._waiting, of._task
    assert asyncio.run(other.put(3)) == 6
    assert scribe.took == [[1], [3]]
