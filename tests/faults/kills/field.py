"""One machine whose agent is killed again and again, and the judgement of what is left."""

import contextlib
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from miner_agent.keys import make_private_key
from protocol.agent import ObservedState, Want
from protocol.receipts import check_chain
from protocol.signing import public_key_of
from tests.faults.kills.agent import REFUSED, SPEED, FastClock
from tests.faults.kills.docker_line import DockerLine
from tests.faults.kills.engine import Engine
from tests.faults.kills.market import Market, MarketLine, Order

REPOSITORY = Path(__file__).parents[3]
ORDERS_MOST, QUIET, GPUS = 5, 2, 4
#: how long an agent lives, in seconds: from before its first look to some rounds of work
SHORTEST_S, SHORT_S, LONGEST_S = 0.004, 0.025, 0.11
#: how often it lives for long, and how often a second one tries to
LONG, SECOND = 0.25, 0.05
#: how often a job's process exits meanwhile
EXITS = 0.5
HOLD_S = 0.05
#: of a hard life, for each round that the agent shall have done; and how much longer it may take
ROUND_S, BUSIEST_S = 0.06, 3.0
#: as long as a life: a mistake while something is removed shows before the agent is killed
SLOW_REMOVAL_TAKES_S, SLOW_LONGEST_S = (0.6, 1.2), 0.6
SETTLES_S = 30.0
#: of the machine's milliseconds, for each start: a container may end between look and count
SLACK_MS = 20 * SPEED
#: how often all is let come to rest and looked at
KILLS_PER_LOOK = 200
#: networks that are kept for the next placements
POOL = 4


class Lives:
    """A process that forks agents."""

    def __init__(self, root: Path, faults: tuple[str, ...]) -> None:
        command = [sys.executable, "-m", "tests.faults.kills.agent", str(root), str(GPUS), *faults]
        self._process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        #: the process id of the agent that lives; 0: none does
        self._life = 0
        # It says when it is ready.
        self._read()

    def begin(self) -> None:
        """Let a new agent live."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._life = self._read()

    def kill(self) -> int:
        """Kill the agent, which may have ended by itself, and return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._life, signal.SIGKILL)
        self._life = 0
        return os.waitstatus_to_exitcode(self._read())

    def close(self) -> None:
        if self._life:
            self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _read(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks agents has ended"
        return int(line)


@dataclass(slots=True)
class Outcome:
    """What became of so many kills."""

    kills: int = 0
    starts: int = 0
    ended: int = 0
    intervals: int = 0
    refused: int = 0
    wishes: int = 0
    jobs: int = 0
    volumes_used: int = 0
    volumes_removed: int = 0
    broken: list[str] = field(default_factory=list)


class Field:
    """Engine, marketplace and agent of one machine."""

    def __init__(self, root: Path, seed: int, faults: tuple[str, ...]) -> None:
        self.root, self.chance = root, random.Random(seed)
        self.home = root / "agent"
        (self.home / "kits" / ("0" * 16)).mkdir(parents=True)
        key = make_private_key(self.home / "machine_key")
        self.clock = FastClock()
        self.engine = Engine(root, random.Random(seed), now_ms=self.clock.boot_ms)
        self.market = Market(
            lock=self.engine.lock,
            chance=self.chance,
            machine_key=public_key_of(key),
            gpus=tuple(f"GPU-{number}" for number in range(GPUS)),
            orders_most=ORDERS_MOST,
            now_ms=self.clock.boot_ms,
        )
        for told in ("on_start", "on_started", "on_stop", "on_loss"):
            setattr(self.engine, told, getattr(self.market, told))
        self.engine.on_volume = self.market.volumes.on_use
        self.engine.on_volume_loss = self.market.volumes.on_loss
        self.lines = (
            DockerLine(self.engine, root / "docker.sock"),
            MarketLine(self.market, root / "market.sock", hold_s=HOLD_S),
        )
        self.lives, self.seconds = Lives(root, faults), Lives(root, faults)
        self.outcome = Outcome()
        #: files, folders and mounts that are not the agent's
        self.foreign: set[Path] = set()
        self.long, self.longest_s, self.second = LONG, LONGEST_S, SECOND
        self.round_s = math.inf

    def close(self) -> None:
        for part in (self.lives, self.seconds, *self.lines):
            part.close()

    def kill_once(self) -> None:
        """Let an agent live for a moment among wishes, then kill it."""
        self.lives.begin()
        longest_s = self.longest_s if self.chance.random() < self.long else SHORT_S
        lives_s = self.chance.uniform(SHORTEST_S, longest_s)
        until = time.monotonic() + lives_s
        # A busy machine gives an agent less of each second: the life is longer there instead.
        rounds, latest = self.market.syncs + int(lives_s / self.round_s), until + BUSIEST_S
        lives = [self.lives]
        if self.chance.random() < self.second:
            # Whichever comes first is the agent, and the other one has to leave.
            self.seconds.begin()
            lives.append(self.seconds)
        # An instant that no event announces: only time can choose it.
        while (now := time.monotonic()) < until or (self.market.syncs < rounds and now < latest):
            self.market.wish()
            if self.chance.random() < EXITS:
                self.market.let_a_job_exit(self.engine.die)
            pause_s = self.chance.uniform(0.01, 0.1)
            time.sleep(min(until - now, pause_s) if now < until else SHORT_S)
        self.outcome.refused += [life.kill() for life in lives].count(REFUSED)
        self.outcome.kills += 1

    def settle(self) -> None:
        """Let an agent live until everything is as it is wished, and look."""
        self.lives.begin()
        deadline = time.monotonic() + SETTLES_S
        while (odd := self._odd()) and not self.broken():
            if time.monotonic() > deadline:
                self.engine.broken.append(f"it does not settle: {odd}")
                break
            time.sleep(0.01)
        # What is removed last may still be on its way.
        while self._left() and time.monotonic() < deadline and not self.broken():
            time.sleep(0.01)
        self.lives.kill()
        self.engine.broken += self._left()

    def broken(self) -> list[str]:
        """Return every promise that was broken so far."""
        crashes = [path.read_text() for path in self.root.glob("crash-*")]
        told = [*self.engine.broken, *self.market.broken, *self.market.volumes.broken]
        return [*told, *crashes]

    def judge_counting(self) -> None:
        """Look whether every chain counts what truly ran, once and not more."""
        for placement_id, order in self.market.ended.items():
            lives = self.engine.lives.get(placement_id, [])
            lived_ms = sum((life.end_ms or 0) - life.start_ms for life in lives)
            counted_ms = check_chain(order.chain) if order.chain else 0
            self.outcome.intervals += len(order.chain)
            if counted_ms > lived_ms + SLACK_MS * len(lives):
                self.engine.broken.append(f"{placement_id} counts {counted_ms} of {lived_ms} ms")
            sure_ms = self._sure_ms(placement_id, order)
            if counted_ms < sure_ms - SLACK_MS * len(lives):
                self.engine.broken.append(f"{placement_id} lost {sure_ms - counted_ms} ms")

    def _sure_ms(self, placement_id: UUID, order: Order) -> int:
        """Return how long it ran after the agent had said that it does, until its end was asked."""
        sure_ms = 0
        for began_ms in order.runs.values():
            for life in self.engine.lives.get(placement_id, []):
                if life.end_ms is not None and life.start_ms <= began_ms <= life.end_ms:
                    sure_ms += max(0, min(life.end_ms, order.end_ms) - began_ms)
        return sure_ms

    def _odd(self) -> list[str]:
        with self.engine.lock:
            return [
                f"{placement_id} shall {order.desired.want}: {order.seen}"
                for placement_id, order in self.market.orders.items()
                if not _is_as_wished(order)
            ]

    def _left(self) -> list[str]:
        """Return what is on the machine and should not be, or should be and is not."""
        self.engine.find_losses()
        with self.engine.lock:
            orders = self.market.orders
            boxes = [box for box in self.engine.boxes.values() if not box.foreign]
            wanted = {one for one, order in orders.items() if order.desired.want is Want.RUN}
            running = [box.placement_id for box in boxes if box.running]
            odd = []
            if sorted(running) != sorted(wanted):
                odd.append(f"{running} run of {wanted}")
            here = [box.placement_id for box in boxes]
            if len(here) != len(set(here)) or not set(here) <= set(orders):
                odd.append(f"containers are left of {set(here) - set(orders)} or twice: {here}")
            for folder in ("disks", "doors", "contents", "jobs"):
                paths = set((self.home / folder).glob("*")) - self.foreign
                names = [path.name.split(".")[0] for path in paths]
                if not set(names) <= set(map(str, orders)) or len(names) != len(set(names)):
                    odd.append(f"{folder} are left: {names} of {set(orders)}")
            mounted = {*(str(box.layer) for box in boxes), *map(str, self.foreign)}
            mounted |= {str(path) for box in boxes for path in box.binds("jobs")}
            volumes = {str(one.volume_id) for one in self.market.volumes.desired()}
            mounted |= {str(self.home / "volumes" / one) for one in volumes}
            kept = {path.stem for path in (self.home / "volumes").glob("*")}
            if not kept <= volumes:
                odd.append(f"volumes are left: {kept - volumes}")
            if not set(self.engine.mounts) <= mounted:
                odd.append(f"mounts are left: {set(self.engine.mounts) - mounted}")
            own = [one for one in self.engine.networks.values() if "berth.machine" in one["Labels"]]
            if len(own) > POOL + len(wanted):
                odd.append(f"{len(own)} networks are left")
            return odd


def _is_as_wished(order: Order) -> bool:
    desired, seen = order.desired, order.seen
    if seen is None or desired.want is Want.END:
        return False
    if desired.want is Want.STOP:
        return seen.state is ObservedState.STOPPED
    told = (seen.edition, seen.resets, seen.restarts)
    wished = (desired.edition, desired.resets, desired.restarts)
    return seen.state is ObservedState.RUNNING and told == wished


def fight(*, kills: int, seed: int, hard: bool = False, faults: tuple[str, ...] = ()) -> Outcome:
    """Return what became of so many kills; the first broken promise ends it.

    ``hard``: Docker removes slowly, agents live long enough to bring something up meanwhile, and
    often there are two.
    """
    root = Path(tempfile.mkdtemp(prefix="kills-", dir="/dev/shm"))
    field = Field(root, seed, faults)
    if hard:
        field.long, field.longest_s, field.second = 1.0, SLOW_LONGEST_S, 0.4
        field.round_s = ROUND_S
        field.engine.removal_takes_s = SLOW_REMOVAL_TAKES_S
    try:
        for _ in range(QUIET):
            field.market.start_quiet()
        field.settle()
        for number in range(1, kills + 1):
            field.kill_once()
            if field.broken():
                break
            if number % KILLS_PER_LOOK == 0:
                field.settle()
        if not field.broken():
            field.market.end_all()
            field.settle()
            field.judge_counting()
        outcome = field.outcome
        outcome.broken = field.broken()
    finally:
        field.close()
        shutil.rmtree(root)
    outcome.starts, outcome.wishes = field.engine.starts, field.market.wishes
    outcome.ended, outcome.jobs = len(field.market.ended), field.market.jobs_done
    volumes = field.market.volumes
    outcome.volumes_used, outcome.volumes_removed = volumes.uses, volumes.removed
    return outcome
