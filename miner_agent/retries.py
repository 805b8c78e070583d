"""This will say which placements' steps may be tried now, after those that failed."""

from uuid import UUID

from miner_agent.clock import Clock
from miner_agent.domain import backoff


class Retries:
    """Failures in a row and the next try of each placement; an agent that starts anew forgets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at_ms: dict[UUID, int] = {}
        self._failures: dict[UUID, int] = {}

    def is_due(self, placement_id: UUID) -> bool:
        """Say whether the placement's next step may be tried now."""
        return self._at_ms.get(placement_id, 0) <= self._clock.boot_ms()

    def succeeded(self, placement_id: UUID) -> None:
        """Forget the failures before."""
        self._at_ms.pop(placement_id, None)
        self._failures.pop(placement_id, None)

    def failed(self, placement_id: UUID, *, counts: bool, at_once: bool) -> int:
        """Put the next try off and return how many failures in a row there were.

        ``counts``: the placement is to blame, not the machine. ``at_once``: the next try differs.
        """
        failures = self._failures.get(placement_id, 0) + 1
        delay_ms = 0 if at_once else backoff.delay_ms(failures=failures)
        self._at_ms[placement_id] = self._clock.boot_ms() + delay_ms
        if counts:
            self._failures[placement_id] = failures
        return failures
