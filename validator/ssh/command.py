"""This will talk to a machine's forced commands within limits of lines, bytes and time."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from protocol.validator import COMMAND_FACTS
from validator.domain.facts import FACTS_BYTES_MAX
from validator.domain.json_line import parse_object
from validator.ssh.connection import Connection, Stream, Unreachable

READ_BYTES = 65_536
FACTS_S_MAX = 15.0


class TooMuchOutput(Exception):
    """The machine sent more than was asked for."""


class AnswerLate(Exception):
    """The machine did not answer before its deadline."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may cost us. Source: gpu_verification.md 5.3, scaled to the CPU proof."""

    line_bytes_max: int = 262_144
    session_bytes_max: int = 1_048_576


class Lines:
    """A conversation of one JSON object per line over a machine's running command."""

    def __init__(self, stream: Stream, limits: Limits | None = None) -> None:
        self._stream = stream
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._searched_bytes = 0
        self._received_bytes = 0
        #: when the latest bytes came off the socket, on the event loop's clock
        self.received_at = 0.0

    def send(self, message: Mapping[str, object]) -> None:
        """Write one message as one line."""
        self._stream.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def receive(self, *, deadline: float) -> Mapping[str, object]:
        """Return the next object; ``deadline`` is on the event loop's clock.

        :raises AnswerLate: when the line is not whole by then.
        :raises TooMuchOutput: when a line or the session grows beyond its limit.
        :raises LineRefused: when the line is not one plain JSON object.
        :raises Unreachable: when the connection ends first.
        """
        line = await self.receive_line(deadline=deadline)
        return parse_object(line, bytes_max=self._limits.line_bytes_max)

    async def receive_line(self, *, deadline: float) -> bytes:
        """Return the next line without its end; limits and errors as in ``receive``."""
        try:
            async with asyncio.timeout_at(deadline):
                while (end := self._buffer.find(b"\n", self._searched_bytes)) < 0:
                    self._searched_bytes = len(self._buffer)
                    await self._fill()
        except TimeoutError as error:
            raise AnswerLate("The machine answered too late.") from error
        if end > self._limits.line_bytes_max:
            raise TooMuchOutput("The machine sent a line that is too long.")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched_bytes = 0
        return line

    async def _fill(self) -> None:
        received = await self._stream.read(READ_BYTES)
        if not received:
            raise Unreachable("The machine ended the session.")
        self.received_at = self._stream.heard_at
        self._received_bytes += len(received)
        self._buffer += received
        if self._received_bytes > self._limits.session_bytes_max:
            raise TooMuchOutput("The machine sent more than the session allows.")
        if len(self._buffer) > self._limits.line_bytes_max and b"\n" not in self._buffer:
            raise TooMuchOutput("The machine sent a line without end.")


async def read_facts(connection: Connection) -> bytes:
    """Return the one line that the machine's ``facts`` command prints.

    :raises AnswerLate, TooMuchOutput, Unreachable: as ``Lines.receive``.
    """
    stream = await connection.start(COMMAND_FACTS)
    limits = Limits(line_bytes_max=FACTS_BYTES_MAX, session_bytes_max=2 * FACTS_BYTES_MAX)
    with closing(stream):
        deadline = asyncio.get_running_loop().time() + FACTS_S_MAX
        return await Lines(stream, limits).receive_line(deadline=deadline)
