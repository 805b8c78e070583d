"""One request and its answer on a stream, where the answer is made to keep the gateway busy."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import cast

import pytest

from marketplace.endpoints.gateway.exchange import CHUNKS_AT_ONCE, INFORMATIONS_MAX, Exchange
from marketplace.endpoints.gateway.machines import Broken, Stream

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass
class AtHand:
    """A stream on which everything has come already, so that no read ever waits."""

    content: bytes

    async def read(self, bytes_max: int) -> bytes:
        found, self.content = self.content[:bytes_max], self.content[bytes_max:]
        return found

    async def write(self, content: bytes) -> None:
        """Take the request."""


async def asked(answer: bytes, lane: asyncio.Lock) -> Exchange:
    exchange = Exchange(cast(Stream, AtHand(answer)), lane=lane)
    await exchange.ask(method="GET", target=b"/", headers=[(b"host", b"x")])
    await exchange.finish()
    return exchange


async def test_answers_in_tiny_chunks_leave_everybody_else_a_turn() -> None:
    lane, turns, chunks = asyncio.Lock(), 0, 40 * CHUNKS_AT_ONCE
    heard: Counter[int] = Counter()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def hear() -> int:
        exchange, length = await asked(HEAD + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n", lane), 0
        await exchange.answer()
        async for part in exchange.content():
            length += len(part)
            heard[turns] += len(part)
        return length

    waiting = asyncio.create_task(others())
    assert await asyncio.gather(*(hear() for _ in range(4))) == [chunks] * 4
    waiting.cancel()
    first = min(heard)
    # Each had a share before it was known that there is more; from then on it is one at a time.
    assert all(count <= 2 * CHUNKS_AT_ONCE for turn, count in heard.items() if turn > first)
    assert heard[first] <= 4 * CHUNKS_AT_ONCE


async def test_what_came_at_once_is_one_part() -> None:
    exchange = await asked(HEAD + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", asyncio.Lock())
    await exchange.answer()
    assert [part async for part in exchange.content()] == [b"onetwo"]


async def test_only_so_much_may_come_before_the_answer_itself() -> None:
    enough = await asked(CONTINUE * INFORMATIONS_MAX + HEAD, asyncio.Lock())
    assert (await enough.answer()).status_code == 200
    endless = await asked(CONTINUE * (INFORMATIONS_MAX + 1) + HEAD, asyncio.Lock())
    with pytest.raises(Broken):
        await endless.answer()
