"""This will hold the virtual clock: one heap of events, one seed, no sleeping."""

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
HOUR_MS = 3_600_000


class InvariantBroken(AssertionError):
    """Something that must hold for ever did not hold after one step."""


class World:
    """Virtual time, chance and the trace by which two runs of one seed are compared."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.now_ms = 0
        self.happened: Counter[str] = Counter()
        #: False: the faults are over and everything must settle
        self.faulty = True
        self._events: list[tuple[int, int, str, Callable[[], None]]] = []
        self._made = 0
        self._trace = hashlib.sha256()

    @property
    def now(self) -> datetime:
        """Return the marketplace's time."""
        return BEGIN + timedelta(milliseconds=self.now_ms)

    @property
    def trace(self) -> str:
        """Return the digest of everything that happened so far."""
        return self._trace.hexdigest()

    def after(self, delay_ms: float, name: str, act: Callable[[], None]) -> None:
        """Let ``act`` happen that much later."""
        self._made += 1
        heapq.heappush(self._events, (self.now_ms + max(0, int(delay_ms)), self._made, name, act))

    def step(self) -> str:
        """Let the next thing happen and return its name."""
        self.now_ms, _, name, act = heapq.heappop(self._events)
        self.note(name)
        act()
        return name

    def note(self, name: str, *facts: object) -> None:
        """Count what happens and write it into the trace."""
        self.happened[name] += 1
        self._trace.update(repr((self.now_ms, name, *map(str, facts))).encode())

    def likely(self, share: float) -> bool:
        """Say, with this probability while there are faults, that one happens now."""
        return self.faulty and self.chance.random() < share

    def gap_ms(self, mean_ms: float) -> float:
        """Return a random time until the next of events that come by chance."""
        return self.chance.expovariate(1 / mean_ms)

    def random_bytes(self, count: int) -> bytes:
        """Return random bytes of this seed, in the place of the operating system's."""
        return self.chance.randbytes(count)

    def new_id(self) -> UUID:
        """Return a random id of this seed."""
        return UUID(bytes=self.random_bytes(16), version=4)


def ms_of(moment: datetime) -> float:
    """Return a moment as milliseconds of virtual time."""
    return (moment - BEGIN) / timedelta(milliseconds=1)
