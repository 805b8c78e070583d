"""This will carry messages the way a bad network does: lost, late, twice and out of order."""

from collections.abc import Callable
from typing import Protocol

from tests.faults.world import World

LOST, DOUBLED, LATE = 0.01, 0.02, 0.02
LATE_MS_MAX = 90_000


class Endpoint(Protocol):
    """Whatever is cut off when its network is silent."""

    silent: bool
    disturbed_ms: int


class Network:
    """Everything that is said between the parts of the world goes through here."""

    def __init__(self, world: World) -> None:
        self._world = world

    def carry(self, endpoint: Endpoint, name: str, deliver: Callable[[], None]) -> None:
        """Deliver a message from or to ``endpoint`` some time later, once, twice or never."""
        world = self._world
        copies = 2 if world.likely(DOUBLED) else 1
        for _ in range(copies):
            if endpoint.silent or world.likely(LOST):
                endpoint.disturbed_ms = world.now_ms
                world.note(f"{name} lost")
                continue
            delay_ms = world.chance.uniform(5, 150)
            if world.likely(LATE):
                delay_ms = world.chance.uniform(1000, LATE_MS_MAX)
                endpoint.disturbed_ms = world.now_ms + int(delay_ms)
            world.after(delay_ms, name, lambda: self._deliver(endpoint, name, deliver))

    def _deliver(self, endpoint: Endpoint, name: str, deliver: Callable[[], None]) -> None:
        if endpoint.silent:
            endpoint.disturbed_ms = self._world.now_ms
            self._world.note(f"{name} lost")
            return
        deliver()
