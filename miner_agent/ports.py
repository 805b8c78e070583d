"""This will choose the ports of this machine that placements get, none where others listen."""

from collections.abc import Collection, Iterable

from miner_agent.clock import Clock
from miner_agent.domain.placement import Placement
from miner_agent.domain.resources import choose_port

#: for so long a port at which a foreign program listens is given to nobody: most such programs
#: are a connection of the machine's own that happened to begin there
AVOIDED_MS = 600_000


class Ports:
    """The range that the host gives away from, without what cannot be had."""

    def __init__(self, *, first: int, last: int, own: Collection[int] = (), clock: Clock) -> None:
        self._first = first
        self._last = last
        #: those of the range that the agent itself has
        self._own = frozenset(own)
        self._clock = clock
        #: port -> when it may be tried again, on the clock since boot
        self._avoided: dict[int, int] = {}

    def avoid(self, ports: Iterable[int]) -> None:
        """Give these to nobody for a while: a foreign program listens there."""
        again_ms = self._clock.boot_ms() + AVOIDED_MS
        self._avoided |= dict.fromkeys(ports, again_ms)

    def count(self) -> int:
        """Return how many there are to give, those that placements have among them."""
        shut = self._shut()
        return sum(port not in shut for port in range(self._first, self._last + 1))

    def choose(
        self, placement: Placement, insides: Collection[int], *, claimed: Iterable[int]
    ) -> dict[int, int]:
        """Return a port of the machine for each one inside: the one that it has, or a free one.

        :raises NoCapacity: when every port is taken.
        """
        shut = self._shut()
        known = {**(placement.current.ports if placement.current else {}), **placement.ports}
        taken = {*shut, *claimed}
        ports: dict[int, int] = {}
        for inside in insides:
            port = known.get(inside)
            if port is None or port in shut:
                port = choose_port(first=self._first, last=self._last, taken=taken)
            taken.add(port)
            ports[inside] = port
        return ports

    def _shut(self) -> frozenset[int]:
        now_ms = self._clock.boot_ms()
        return self._own | {port for port, again_ms in self._avoided.items() if again_ms > now_ms}
