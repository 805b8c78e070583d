"""A node on the loopback: a websocket to a fake chain, with the faults that a test asks for."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.fakechain.pool import PoolRefused
from tests.fakechain.rpc import MethodUnknown, answer

if TYPE_CHECKING:
    from tests.fakechain.chain import FakeChain

SUBMIT = "author_submitAndWatchExtrinsic"
INVALID_TRANSACTION = 1010
METHOD_UNKNOWN = -32601


@dataclass
class Faults:
    """What goes wrong at this node."""

    #: methods that get no answer
    silent: set[str] = field(default_factory=set)
    #: what is sent instead of an answer, by method; ID stands for the call's
    instead: dict[str, str] = field(default_factory=dict)
    #: what happens on chain just before a transaction arrives
    before_submit: Callable[[], None] = lambda: None
    #: what the pool says to the next transactions
    pool_refuses: list[str] = field(default_factory=list)
    #: seconds before each answer
    delay_s: float = 0.0
    #: transactions wait here and are in no block until the test takes them in
    held_back: list[bytes] | None = None
    #: the connection ends once a transaction is there, and nothing says what became of it
    drops_after_submit: bool = False
    #: a transaction's watcher hears nothing
    silent_watch: bool = False
    #: what the watcher hears in place of the block, such as "dropped"
    watch_status: str = ""


@dataclass
class Node:
    """A running node."""

    chain: FakeChain
    url: str = ""
    faults: Faults = field(default_factory=Faults)
    #: every method that was called, in order
    called: list[str] = field(default_factory=list)
    _subscriptions: Iterator[int] = field(default_factory=count)

    async def serve_connection(self, connection: Any) -> None:
        """Answer one client until it leaves."""
        from websockets.exceptions import ConnectionClosed

        try:
            async for frame in connection:
                asked = json.loads(frame)
                for one in asked if isinstance(asked, list) else [asked]:
                    await self._serve_call(connection, one)
        except ConnectionClosed:
            pass

    async def _serve_call(self, connection: Any, asked: dict[str, Any]) -> None:
        method, faults = asked["method"], self.faults
        self.called.append(method)
        if faults.delay_s:
            await asyncio.sleep(faults.delay_s)
        if method in faults.silent:
            return
        if method in faults.instead:
            await connection.send(faults.instead[method].replace("ID", str(asked["id"])))
            return
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        updates: list[Any] = []
        try:
            if method == SUBMIT:
                updates = self._submit(asked["params"][0])
                subscription = f"subscription {next(self._subscriptions)}"
                reply["result"] = subscription
            else:
                reply["result"] = answer(self.chain, method, asked.get("params") or [])
        except PoolRefused as error:
            reply["error"] = {
                "code": INVALID_TRANSACTION,
                "message": "Invalid Transaction",
                "data": str(error),
            }
        except MethodUnknown as error:
            reply["error"] = {"code": METHOD_UNKNOWN, "message": f"Method not found: {error}"}
        if method == SUBMIT and faults.drops_after_submit:
            await connection.close(1011)
            return
        await connection.send(json.dumps(reply))
        for update in updates:
            told = {"subscription": subscription, "result": update}
            notice = {"jsonrpc": "2.0", "method": "author_extrinsicUpdate", "params": told}
            await connection.send(json.dumps(notice))

    def _submit(self, text: str) -> list[Any]:
        """Take a transaction and return what its watcher hears."""
        raw, faults = bytes.fromhex(text.removeprefix("0x")), self.faults
        faults.before_submit()
        if faults.pool_refuses:
            raise PoolRefused(faults.pool_refuses.pop(0))
        if faults.held_back is not None:
            faults.held_back.append(raw)
            return ["ready", *([faults.watch_status] if faults.watch_status else [])]
        block = self.chain.take_in(raw)
        if faults.silent_watch:
            return []
        return ["ready", {"inBlock": block}, {"finalized": block}]


@contextmanager
def running(chain: FakeChain) -> Iterator[Node]:
    """Yield a node that listens on the loopback, in a thread of its own."""
    from websockets.asyncio.server import serve

    logging.getLogger("websockets").setLevel(logging.WARNING)
    node = Node(chain)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def listen() -> None:
        handler = node.serve_connection
        async with serve(handler, "127.0.0.1", 0, close_timeout=0.2) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            node.url = f"ws://127.0.0.1:{port}"
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(listen()), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield node
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()
