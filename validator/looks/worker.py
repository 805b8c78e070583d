"""This will start, feed, watch and end one process that looks at machines."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import validator
from validator.barrier import Gate, GateShut
from validator.domain.json_line import printable
from validator.domain.verdict import Look
from validator.looks.messages import (
    ANSWER_BYTES_MAX,
    Answer,
    AnswerRefused,
    Order,
    Passage,
    Told,
    line_of,
    read_said,
)

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-s", "-m", "validator.looks")
#: seconds that a process may take until its first word, on a busy computer
START_S_MAX = 60.0
#: seconds that a process's loop may stand still, and how often it says in them that it does not
QUIET_S_MAX = 20.0
BEATS = 8
#: each proof of a look comes to the gate once, and few are made again
ARRIVALS_MAX = 32
#: A process that has grown so far takes no more looks. It starts with 55 MB.
GROWN_BYTES = 268_435_456
#: whatever a process may have gathered ends with it
LOOKS_MAX = 2_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class LookLost(Exception):
    """The process ended before it had answered; the sentence says why."""


class LooksBroken(Exception):
    """No process can be started: a fault on our side, which says nothing of any machine."""


@dataclass(slots=True)
class _Asked:
    """A look that a process takes."""

    look: "asyncio.Future[Look]"
    gate: Gate
    #: what waits at the gate for it now
    waiting: "asyncio.Task[None] | None" = None
    arrivals: int = 0

    def forget_gate(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()


class Worker:
    """One process and the looks that it takes now."""

    def __init__(self, process: asyncio.subprocess.Process, *, quiet_s_max: float) -> None:
        self._process = process
        self._quiet_s_max = quiet_s_max
        self._busy: dict[int, _Asked] = {}
        self._looks_left = LOOKS_MAX
        self._why = "It ended by itself."
        self._last_words = b""
        self.ready: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        #: it takes no more looks, and ends with its last one
        self.retired = False
        self._watching = asyncio.ensure_future(self._watch())

    @classmethod
    async def start(
        cls, command: Sequence[str] = COMMAND, *, quiet_s_max: float = QUIET_S_MAX
    ) -> "Worker":
        """Start a process and return it once it is ready.

        :raises LooksBroken: when it does not come up.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(*command, str(quiet_s_max / BEATS)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=ANSWER_BYTES_MAX,
                # Nothing of the validator's own environment, in which its hotkey may be named.
                env={
                    "PYTHONPATH": str(Path(validator.__path__[0]).parent),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    # Each reserves much address space that is never used.
                    "MALLOC_ARENA_MAX": "2",
                    "OPENBLAS_NUM_THREADS": "1",
                },
                # A signal that the terminal sends is for the validator to act on.
                start_new_session=True,
            )
        except OSError as error:
            raise LooksBroken(f"No process for looks can be started: {error}.") from error
        worker = cls(process, quiet_s_max=quiet_s_max)
        try:
            async with asyncio.timeout(START_S_MAX):
                await asyncio.shield(worker.ready)
        except (LookLost, TimeoutError) as error:
            raise LooksBroken(f"A process for looks did not come up: {error}") from error
        finally:
            if not worker.is_ready:
                await worker.end("It did not come up.")
        return worker

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Say whether it has come up."""
        return self.ready.done() and not self.ready.cancelled() and not self.ready.exception()

    @property
    def has_ended(self) -> bool:
        """Say whether the process is gone."""
        return self._watching.done()

    @property
    def looks(self) -> int:
        """Return how many looks it takes now."""
        return len(self._busy)

    async def look(self, order: Order, gate: Gate) -> Look:
        """Return what the process saw; ``gate`` is waited at here when the process says so.

        :raises LookLost: when it ended first.
        """
        asked = _Asked(asyncio.get_running_loop().create_future(), gate)
        self._busy[order.number] = asked
        self._looks_left -= 1
        self.retired = self.retired or self._looks_left <= 0
        if self._watching.done():
            self._lose_all()
        self._tell(Told(order=order))
        try:
            return await asked.look
        finally:
            asked.forget_gate()

    def _tell(self, told: Told) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line_of(told))

    async def end(self, why: str) -> None:
        """Kill the process; its looks are lost."""
        self._why = why
        self.retired = True
        self._kill()
        await asyncio.wait({self._watching})

    def _kill(self) -> None:
        """Kill it; not by ``Process.kill``, which takes its exit from whom asyncio lets wait."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _watch(self) -> None:
        telling = asyncio.ensure_future(self._keep_last_words())
        try:
            while True:
                async with asyncio.timeout(self._quiet_s_max if self.is_ready else None):
                    line = await self._read()
                if not line:
                    break
                self._take(line)
        except TimeoutError:
            self._why = "It stood still."
        except ValueError as error:
            self._why = f"It said what it may not: {error}"
        finally:
            self.retired = True
            self._kill()
            await self._process.wait()
            await asyncio.wait({telling}, timeout=1)
            telling.cancel()
            self._lose_all()

    async def _read(self) -> bytes:
        return b"" if self._process.stdout is None else await self._process.stdout.readline()

    def _take(self, line: bytes) -> None:
        said = read_said(line)
        if said.ready is not None:
            if self.ready.done():
                raise AnswerRefused("It came up twice.")
            self.ready.set_result(said.ready.confined)
            return
        if said.arrived is not None:
            self._take_arrival(said.arrived.number)
        if said.answer is not None:
            self._take_answer(said.answer)
        if self._has_grown():
            self.retired = True
        if self.retired and not self._busy and self._process.stdin is not None:
            self._why = "It has done its part."
            self._process.stdin.close()

    def _take_arrival(self, number: int) -> None:
        asked = self._busy.get(number)
        if asked is None or asked.waiting is not None:
            raise AnswerRefused("It stands at a gate where it cannot be.")
        asked.arrivals += 1
        if asked.arrivals > ARRIVALS_MAX:
            raise AnswerRefused("It comes to a gate again and again.")
        if not asked.look.done():
            asked.waiting = asyncio.ensure_future(self._pass(number, asked))

    async def _pass(self, number: int, asked: "_Asked") -> None:
        shut = None
        try:
            await asked.gate()
        except GateShut as error:
            shut = str(error)
        asked.waiting = None
        self._tell(Told(passage=Passage(number=number, shut=shut)))

    def _take_answer(self, answer: Answer) -> None:
        asked = self._busy.pop(answer.number, None)
        if asked is None:
            raise AnswerRefused("It answered what it was not asked.")
        if not asked.look.done():
            asked.look.set_result(answer.look)

    def _has_grown(self) -> bool:
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return False
        return pages * PAGE_BYTES > GROWN_BYTES

    def _lose_all(self) -> None:
        if not self.ready.done():
            self.ready.set_exception(LookLost(f"{self._why} {self._said_last()}".strip()))
            # Nobody has to wait for it.
            self.ready.exception()
        if self._busy:
            logger.warning(
                "Process for looks lost: pid=%d looks=%d why=%r said=%r",
                *(self.pid, len(self._busy), self._why, self._said_last()),
            )
        lost, self._busy = self._busy, {}
        for asked in lost.values():
            if not asked.look.done():
                asked.look.set_exception(LookLost(self._why))

    async def _keep_last_words(self) -> None:
        """Read its stderr, so that it never waits for us, and keep the end of it."""
        stderr = self._process.stderr
        while stderr is not None and (part := await stderr.read(4_096)):
            self._last_words = (self._last_words + part)[-500:]

    def _said_last(self) -> str:
        lines = self._last_words.decode("ascii", "replace").strip().splitlines()
        return printable(lines[-1]) if lines else ""
