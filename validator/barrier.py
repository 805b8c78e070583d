"""This will let several proofs begin in one instant, and wait for none of them too long.

Each proof sets up, arrives and waits; the first nonces go out together. Whoever has one card for
two machines then has to do the work of two at once. Source: gpu_verification.md 2.8.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

#: Waited at by a proof that is ready for its first nonce; it raises GateShut.
Gate = Callable[[], Awaitable[None]]


class GateShut(Exception):
    """The others were let through before this one was ready: what it proved now shows little."""


async def open_gate() -> None:
    """Keep nobody waiting: the gate of a proof that runs by itself."""


class Barrier:
    """Lets its members through at once: when all are ready or gone, or when the wait is over."""

    def __init__(self, members: Collection[UUID], *, wait_s_max: float) -> None:
        """Begin the wait now; so it needs a running event loop."""
        loop = asyncio.get_running_loop()
        self._awaited = set(members)
        self._passed: set[UUID] = set()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._timer = loop.call_later(wait_s_max, self._open)

    async def arrive(self, member: UUID) -> None:
        """Return when all are let through; a member that was let through before never waits.

        :raises GateShut: when the others are through already.
        """
        if member in self._passed:
            return
        if self._opened.done():
            raise GateShut("The machine was not ready when the others of its group were.")
        self._passed.add(member)
        self._without(member)
        # Shielded: one look that is called off must not call off what the others wait for.
        await asyncio.shield(self._opened)

    def leave(self, member: UUID) -> None:
        """Wait for this member no longer: its look is over."""
        self._without(member)

    def _without(self, member: UUID) -> None:
        self._awaited.discard(member)
        if not self._awaited:
            self._open()

    def _open(self) -> None:
        self._timer.cancel()
        if not self._opened.done():
            self._opened.set_result(None)
