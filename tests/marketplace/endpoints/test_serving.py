"""Callers who send much at once, or little of it in many parts."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from marketplace.endpoints.gateway.caller import Receive, Scope, Send
from marketplace.endpoints.gateway.serving import (
    FIRST_BYTES,
    HEAD_BYTES_MAX,
    READ_BYTES,
    Application,
    server,
)
from tests.marketplace.endpoints.way import until

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKS = READ_BYTES
BURST = HEAD + b"1\r\nx\r\n" * CHUNKS + b"0\r\n\r\n"
CHUNK_BYTES = len(b"1\r\nx\r\n")


class Hearing:
    """An application that answers once it heard all, and knows when it heard how much."""

    def __init__(self) -> None:
        self.turn = 0
        #: (caller, turn) -> bytes
        self.heard: Counter[tuple[object, int]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            self.heard[tuple(scope["client"]), self.turn] += len(message["body"])
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def count(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def served(application: Application) -> AsyncIterator[int]:
    serves = server(application, host="127.0.0.1", port=0)
    task = asyncio.create_task(serves.serve())
    await until(lambda: serves.started)
    yield serves.servers[0].sockets[0].getsockname()[1]
    serves.should_exit = True
    await task


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


async def test_requests_in_tiny_chunks_leave_everybody_else_a_turn() -> None:
    application = Hearing()
    async with served(application) as port:
        counting = asyncio.create_task(application.count())
        answers = await asyncio.gather(*(ask(port, BURST) for _ in range(3)))
        counting.cancel()
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert sum(application.heard.values()) == 3 * CHUNKS
    by_turn: Counter[int] = Counter()
    begun: set[object] = set()
    for (caller, turn), length in application.heard.items():
        if length and caller in begun:
            by_turn[turn] += length
        elif length:
            begun.add(caller)
            assert length <= FIRST_BYTES // CHUNK_BYTES
    # After the first bytes of each of them it is one at a time.
    assert max(by_turn.values()) <= READ_BYTES // CHUNK_BYTES + 1


@pytest.mark.parametrize(
    ("length", "status"), [(HEAD_BYTES_MAX - 1024, b"200"), (2 * HEAD_BYTES_MAX, b"400")]
)
async def test_a_request_has_only_so_much_of_headers(length: int, status: bytes) -> None:
    async with served(Hearing()) as port:
        head = b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a:\r\n" * (length // 4) + b"\r\n"
        assert (await ask(port, head)).split(b" ")[1] == status


async def test_who_is_refused_hears_why_whatever_was_not_read() -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with served(refuse) as port:
        for _ in range(5):
            # More than what the system keeps for us.
            answer = await ask(port, HEAD + b"100000\r\n" + bytes(1 << 20) + b"\r\n" + BURST)
            assert answer.startswith(b"HTTP/1.1 401 ")
