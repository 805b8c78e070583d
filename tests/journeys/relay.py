"""This will stand between the agent and the site, so that a kill falls on a chosen state."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from protocol.agent import ObservedState, SyncReply, SyncRequest, Want
from protocol.paths import AGENT_SYNC

ANSWER_S_MAX = 60
HEARD_S_MAX = 60
#: TCP_ESTABLISHED
ESTABLISHED = 1
#: what the site says of a placement that its machine has not heard of yet
OFFERED = "offered"
#: every state, in the order in which a placement comes to them
ORDER = (OFFERED, *(state.value for state in ObservedState))


class Moment(StrEnum):
    """When the blow falls, seen from the message that first tells of the state."""

    #: the message never arrives
    BEFORE = "before"
    #: it arrives and is acted upon; whoever sent it never hears so
    AFTER = "after"


@dataclass(slots=True)
class Trap:
    """A blow that waits for the first word of a state, or of a later one.

    A busy machine may have passed a state by the time it tells what changed.
    """

    states: frozenset[str]
    moment: Moment
    strike: Callable[[], None]
    #: the placements that had come so far before
    spared: frozenset[UUID]
    sprung: threading.Event = field(default_factory=threading.Event)


class Relay:
    """Carries each call on a connection of its own, reads the syncs and springs the trap.

    Syncs are signed but not encrypted: nothing here could change one unseen.
    """

    def __init__(self, *, port: int, site_port: int, heard_at: Callable[[], datetime]) -> None:
        self._port, self._site_port = port, site_port
        #: when the site wrote down that it heard the machine
        self._heard_at = heard_at
        self._told: set[tuple[UUID, str]] = set()
        self._trap: Trap | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def open(self) -> None:
        """Begin to listen."""
        serving = asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._loop.run_until_complete(serving)
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=60)

    def arm(self, state: str, moment: Moment, strike: Callable[[], None]) -> threading.Event:
        """Strike when this state or a later one is first told of; return what is set by then."""
        states = frozenset(ORDER[ORDER.index(state) :])
        spared = frozenset(one for one, told in self._told.copy() if told in states)
        self._trap = Trap(states, moment, strike, spared)
        return self._trap.sprung

    def _run(self) -> None:
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            await self._carry(head, body, reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            # One side died or hung up: so does the other side's connection.
            return
        finally:
            writer.close()

    async def _carry(
        self,
        head: bytes,
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        is_sync = AGENT_SYNC.encode() in head.split(b"\r\n", 1)[0]
        request = SyncRequest.model_validate_json(body) if is_sync else None
        found = self._caught(_reported(request)) if request is not None else None
        if found is not None and self._trap_moment() is Moment.BEFORE:
            self._spring()
            return
        site_reader, site_writer = await asyncio.open_connection("127.0.0.1", self._site_port)
        try:
            # What a killed agent had still sent arrives no more: its blow fell before.
            if _has_hung_up(writer):
                return
            sent_at = datetime.now(tz=UTC)
            site_writer.write(_closing(head) + body)
            if found is not None:
                await site_writer.drain()
                self._wait_until_heard(sent_at)
                self._spring()
                return
            answer = await _answer(site_reader, reader)
        finally:
            site_writer.close()
        await self._hand_over(answer, writer, is_sync=is_sync)

    async def _hand_over(
        self, answer: bytes, writer: asyncio.StreamWriter, *, is_sync: bool
    ) -> None:
        found = self._caught(_offered(answer)) if is_sync else None
        if found is not None and self._trap_moment() is Moment.BEFORE:
            self._spring()
            return
        writer.write(answer)
        await writer.drain()
        if found is not None:
            self._spring()

    def _caught(self, told: list[tuple[UUID, str]]) -> tuple[UUID, str] | None:
        """Return the first news that the trap waits for; remember all of it."""
        news = [one for one in told if one not in self._told]
        self._told.update(news)
        for one in news:
            trap = self._trap
            if trap is not None and one[1] in trap.states and one[0] not in trap.spared:
                return one
        return None

    def _trap_moment(self) -> Moment | None:
        return None if self._trap is None else self._trap.moment

    def _spring(self) -> None:
        trap, self._trap = self._trap, None
        if trap is not None:
            trap.strike()
            trap.sprung.set()

    def _wait_until_heard(self, sent_at: datetime) -> None:
        """Keep every other message back meanwhile: the next one would tell of the next state."""
        # The answer is no sign: it comes when something else is desired.
        deadline = time.monotonic() + HEARD_S_MAX
        while self._heard_at() < sent_at:
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.005)


def _has_hung_up(writer: asyncio.StreamWriter) -> bool:
    """Say whether the other side has closed, also where what it sent is still to be read."""
    # The first byte is the state. Source: tcp(7), TCP_INFO; linux/tcp.h.
    state = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return state[0] != ESTABLISHED


async def _answer(site: asyncio.StreamReader, agent: asyncio.StreamReader) -> bytes:
    """Return the site's whole answer.

    :raises ConnectionAbortedError: when the agent hangs up first, or the site says nothing.
    """
    answering = asyncio.ensure_future(site.read())
    leaving = asyncio.ensure_future(agent.read(1))
    try:
        await asyncio.wait(
            {answering, leaving}, timeout=ANSWER_S_MAX, return_when=asyncio.FIRST_COMPLETED
        )
        if not answering.done() or not answering.result():
            raise ConnectionAbortedError
        return answering.result()
    finally:
        answering.cancel()
        leaving.cancel()


def _reported(request: SyncRequest) -> list[tuple[UUID, str]]:
    return [(one.placement_id, one.state.value) for one in request.placements]


def _offered(answer: bytes) -> list[tuple[UUID, str]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        return []
    reply = SyncReply.model_validate_json(body)
    return [(one.placement_id, OFFERED) for one in reply.desired if one.want is Want.RUN]


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _closing(head: bytes) -> bytes:
    """Return the head with the wish that the connection ends with the answer."""
    lines = [one for one in head.split(b"\r\n") if not one.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines[:-2], b"Connection: close", b"", b""])
