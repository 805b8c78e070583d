"""This will drive the agent's steps on a real machine: one sync in flight, a few workers."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol
from uuid import UUID

from miner_agent.agent import Agent
from miner_agent.domain.backoff import delay_ms
from miner_agent.domain.placement import fingerprint
from miner_agent.domain.reconcile import STARTS, Action, Step
from miner_agent.domain.reply import Heard
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.hearing import StaleReply
from miner_agent.logs import Logs
from miner_agent.market import Market, MarketRefused, MarketUnreachable
from miner_agent.metrics import Metrics
from miner_agent.store import StoreUnwritable
from protocol.agent import SYNC_HOLD_S_MAX, SyncRequest
from protocol.hardware import Hardware
from protocol.usage import USAGE_EVERY_S, Incident, Usage

logger = logging.getLogger(__name__)

#: how often the machine is looked at when nothing calls for it
LOOK_S = 2.0
HARDWARE_S = 300.0
#: and at the volumes
TEND_S = 10.0
#: more placements than a machine has; each start may wait long for its image
STARTING_MOST = 1024
#: what may wait long for somebody else: a registry, the marketplace
LONG = (*STARTS, Step.FINISH)
#: what ends or changes has workers of its own: nobody's slow image may keep a rental from its end
OTHERS_MOST = 4
#: with some left for looking, counting and talking
THREADS_MOST = OTHERS_MOST + 8
#: what a full disk raises, or a journal that somebody holds: it ends nothing, and all goes on later
UNWRITABLE = (StoreUnwritable, OSError)
#: changes within this time travel together
GATHER_S = 0.02


class Telemetry(Protocol):
    """What is told beside the placements: ``telemetry.py``."""

    def look(self) -> None:
        """Read everything once; it may block."""
        ...

    def take(self) -> Usage | None:
        """Return the newest reading once."""
        ...

    def untold(self) -> tuple[Incident, ...]:
        """Return the incidents that the marketplace has not confirmed."""
        ...

    def told(self, told: Sequence[Incident]) -> None:
        """Drop the incidents of a sync that was answered."""
        ...


class Supervisor:
    """Tasks around one agent; it can be cancelled at any moment."""

    def __init__(
        self,
        *,
        agent: Agent,
        market: Market,
        hardware: Callable[[], Hardware],
        telemetry: Telemetry | None = None,
        metrics: Metrics | None = None,
        logs: Logs | None = None,
        chores: Sequence[Callable[[], None]] = (),
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        self._agent = agent
        self._market = market
        self._hardware = hardware
        #: None: nothing is told but placements
        self._telemetry = telemetry
        self._metrics = metrics or Metrics()
        #: None: nobody's log is sent
        self._logs = logs
        #: called whenever the marketplace was heard and understood
        self._heard = heard
        #: what is done every ten seconds beside all of it
        self._chores = (*chores, *(() if telemetry is None else (telemetry.look,)))
        self._told: Hardware | None = None
        self._changed = asyncio.Event()
        self._work = asyncio.Event()
        self._tending = asyncio.Event()
        self._answering = asyncio.Event()
        self._busy: dict[tuple[UUID, bool], asyncio.Task[None]] = {}
        #: nobody's start waits here: what Docker does at once is limited where it is asked
        self._starters = ThreadPoolExecutor(STARTING_MOST)
        self._others = asyncio.Semaphore(OTHERS_MOST)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS_MOST))
        agent.changed = lambda: _wake(loop, self._changed)
        if logs is not None:
            logs.changed = lambda: _wake(loop, self._answering)

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sync_for_ever())
                group.create_task(self._work_for_ever())
                group.create_task(self._tend_for_ever())
                if self._logs is not None:
                    group.create_task(self._answer_for_ever(self._logs))
                for chore in self._chores:
                    group.create_task(self._do_for_ever(chore))
        finally:
            # Threads cannot be stopped: wait for the step they are in, so that none runs on unseen.
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _sync_for_ever(self) -> None:
        failures = 0
        # The first answer is wanted at once: the machine may have been away for long.
        hold_s = 0
        hardware: Hardware | None = None
        look_at = asyncio.get_running_loop().time()
        while True:
            if asyncio.get_running_loop().time() >= look_at:
                try:
                    hardware = await asyncio.to_thread(self._hardware)
                    look_at = asyncio.get_running_loop().time() + HARDWARE_S
                except (EngineUnavailable, EngineRefused) as error:
                    # The look at the containers reports it; what was told before stays true.
                    logger.warning("hardware not read", extra={"error": str(error)})
            self._changed.clear()
            try:
                request = await self._request(hold_s, hardware if hardware != self._told else None)
                heard = await self._exchange(request)
                if heard is None:
                    # At once: an interval needs the newest nonce to be worth money.
                    hold_s = 0
                    continue
                if self._logs is not None:
                    # First: what ends with this reply is read before it goes.
                    self._logs.hear(heard.reply.logs)
                await asyncio.to_thread(self._agent.apply, heard)
                await asyncio.to_thread(self._heard)
                if self._telemetry is not None:
                    await asyncio.to_thread(self._telemetry.told, request.incidents)
                self._told = hardware
                self._metrics.synced(answered=True)
            except (MarketUnreachable, MarketRefused, StaleReply, *UNWRITABLE) as error:
                failures += 1
                self._metrics.synced(answered=False)
                logger.warning("sync failed", extra={"error": str(error), "failures": failures})
                pause_ms = delay_ms(failures=failures, jitter_ppm=random.randrange(1_000_000))  # noqa: S311
                await asyncio.sleep(pause_ms / 1000)
                hold_s = 0
                continue
            failures, hold_s = 0, SYNC_HOLD_S_MAX
            self._work.set()
            self._tending.set()
            self._answering.set()

    async def _request(self, hold_s: int, hardware: Hardware | None) -> SyncRequest:
        if self._telemetry is None:
            return self._agent.request(hold_s=hold_s, hardware=hardware)
        incidents = await asyncio.to_thread(self._telemetry.untold)
        return self._agent.request(
            hold_s=hold_s, hardware=hardware, usage=self._telemetry.take(), incidents=incidents
        )

    async def _do_for_ever(self, chore: Callable[[], None]) -> None:
        while True:
            try:
                await asyncio.to_thread(chore)
            except Exception:
                # It is worth less than the placements that go on without it.
                logger.exception("chore failed")
            await asyncio.sleep(USAGE_EVERY_S)

    async def _exchange(self, request: SyncRequest) -> Heard | None:
        """Return the reply, or None when something changed while the call was held open.

        A call that asks for its answer at once is never given up: where something changes more
        often than a round trip lasts, no answer would ever be heard.
        """
        if request.hold_s == 0:
            return await self._market.sync(request)
        call = asyncio.create_task(self._market.sync(request))
        change = asyncio.create_task(self._wait_for_change(request))
        try:
            await asyncio.wait((call, change), return_when=asyncio.FIRST_COMPLETED)
            return call.result() if call.done() else None
        finally:
            for task in (call, change):
                task.cancel()
            await asyncio.gather(call, change, return_exceptions=True)

    async def _wait_for_change(self, request: SyncRequest) -> None:
        told = _told(request)
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_S)
            self._changed.clear()
            if _told(self._agent.request()) != told:
                return

    async def _work_for_ever(self) -> None:
        failures = 0
        while True:
            self._work.clear()
            pause_s = LOOK_S
            try:
                began = time.monotonic()
                actions = await asyncio.to_thread(self._agent.plan)
                self._metrics.looked(time.monotonic() - began)
                for action in actions:
                    self._start(action)
                await asyncio.to_thread(self._agent.count)
                failures = 0
            except (EngineUnavailable, *UNWRITABLE) as error:
                failures += 1
                pause_s = delay_ms(failures=failures) / 1000
                logger.warning("look failed", extra={"error": str(error), "failures": failures})
            # Not wait_for: before Python 3.12 it drops a cancellation that meets its end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._work.wait()

    async def _tend_for_ever(self) -> None:
        while True:
            self._tending.clear()
            try:
                await asyncio.to_thread(self._agent.tend)
            except Exception:
                # One volume's defect must not take the placements down.
                logger.exception("volumes not tended")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TEND_S):
                    await self._tending.wait()

    async def _answer_for_ever(self, logs: Logs) -> None:
        while True:
            self._answering.clear()
            try:
                await asyncio.to_thread(logs.answer)
            except Exception:
                # Nobody's log is worth the placements.
                logger.exception("logs not sent")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TEND_S):
                    await self._answering.wait()

    def _start(self, action: Action) -> None:
        """Start the action unless the placement is being worked on: then the next look decides."""
        lane = (action.placement_id, action.beside)
        if lane not in self._busy:
            self._busy[lane] = asyncio.create_task(self._perform(action))

    async def _perform(self, action: Action) -> None:
        began, done = time.monotonic(), False
        try:
            if action.step in LONG:
                loop = asyncio.get_running_loop()
                done = await loop.run_in_executor(self._starters, self._agent.perform, action)
            else:
                async with self._others:
                    done = await asyncio.to_thread(self._agent.perform, action)
        except Exception:
            # The step has postponed itself; what is left is a journal that cannot be written.
            logger.exception(
                "placement step crashed", extra={"placement": str(action.placement_id)}
            )
        finally:
            self._metrics.performed(action.step, time.monotonic() - began, done=done)
            del self._busy[action.placement_id, action.beside]
            self._work.set()


def _told(request: SyncRequest) -> tuple[object, ...]:
    """Return what a held call has to be given up for when it changes."""
    placements = fingerprint(request.placements)
    return placements, len(request.intervals), request.volumes, request.problem


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)
