"""This will take looks in a few processes, many looks in each, and start anew those that end.

A process for every machine would be the strictest wall, at 55 MB and 0.4 s of a core each. So looks
share processes, and one that is lost with its process is made again once, alone in a new one: then
no other machine can be to blame.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from protocol.validator import Target
from validator.barrier import Gate, open_gate
from validator.domain.verdict import Look, Outcome
from validator.inspection.machine import look_s_max
from validator.looks.messages import Order
from validator.looks.worker import COMMAND, QUIET_S_MAX, LookLost, Worker
from validator.ssh.credential import Credential

logger = logging.getLogger(__name__)

#: for the way there and back
ANSWER_S_MAX = 15.0
#: looks that are made again, each in a process of its own
ALONE_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class _Wanted:
    target: Target
    facts_only: bool
    gate: Gate


class Looks:
    """Looks at machines in other processes; the same face as an inspector."""

    def __init__(
        self,
        *,
        log_in: Callable[[str], Credential],
        allow_private: bool,
        proof_memory_bytes_max: int,
        processes: int,
        command: Sequence[str] = COMMAND,
        quiet_s_max: float = QUIET_S_MAX,
    ) -> None:
        self._log_in = log_in
        self._allow_private = allow_private
        self._proof_memory_bytes_max = proof_memory_bytes_max
        self._command = command
        self._quiet_s_max = quiet_s_max
        self._numbers = itertools.count(1)
        self._places: list[Worker | None] = [None] * processes
        #: looks that each place has now, also while its process starts
        self._loads = [0] * processes
        self._starting = [asyncio.Lock() for _ in self._places]
        self._alone = asyncio.Semaphore(ALONE_AT_ONCE)
        self._all: set[Worker] = set()
        self._told = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(worker.end("The validator stops.") for worker in self._all))

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the processes that run now."""
        return tuple(worker.pid for worker in self._all if not worker.has_ended)

    async def look(
        self, target: Target, *, facts_only: bool = False, gate: Gate = open_gate
    ) -> Look:
        """Return what ``target`` showed; a failure of the machine is an outcome.

        ``facts_only`` and ``gate`` as an inspector's.

        :raises LooksBroken: when no process can be had.
        """
        wanted = _Wanted(target, facts_only, gate)
        number = min(range(len(self._loads)), key=self._loads.__getitem__)
        self._loads[number] += 1
        try:
            return await self._within(await self._at(number), wanted)
        except LookLost as error:
            logger.warning("Look lost, made again alone: %s why=%r", target.machine_id, str(error))
        finally:
            self._loads[number] -= 1
        async with self._alone:
            worker = await self._start()
            try:
                return await self._within(worker, wanted)
            except LookLost as error:
                detail = f"The program that looked at it was lost twice: {error}"
                return Look(Outcome.SILENT, detail)
            finally:
                await self._end(worker, "Its one look is done.")

    async def _within(self, worker: Worker, wanted: "_Wanted") -> Look:
        target = wanted.target
        order = Order(
            number=next(self._numbers),
            target=target,
            credential=self._log_in(target.machine_key),
            allow_private=self._allow_private,
            proof_memory_bytes_max=self._proof_memory_bytes_max,
            facts_only=wanted.facts_only,
        )
        try:
            async with asyncio.timeout(look_s_max(target) + ANSWER_S_MAX):
                return await worker.look(order, wanted.gate)
        except TimeoutError as error:
            await self._end(worker, "It kept a look for too long.")
            raise LookLost("It kept a look for too long.") from error

    async def _at(self, number: int) -> Worker:
        """Return the process of a place, after starting one where none takes looks."""
        async with self._starting[number]:
            worker = self._places[number]
            if worker is None or worker.retired:
                worker = self._places[number] = await self._start()
        return worker

    async def _start(self) -> Worker:
        self._all = {worker for worker in self._all if not worker.has_ended}
        worker = await Worker.start(self._command, quiet_s_max=self._quiet_s_max)
        self._all.add(worker)
        if not worker.ready.result() and not self._told:
            self._told = True
            logger.warning("This kernel cannot close its files to the processes that look.")
        return worker

    async def _end(self, worker: Worker, why: str) -> None:
        await worker.end(why)
        self._all.discard(worker)
