"""This will say which placements' steps may be tried now, after those that failed."""

import logging
from uuid import UUID

from miner_agent.clock import Clock
from miner_agent.containers import PortTaken
from miner_agent.disk import DiskFailed
from miner_agent.domain import backoff
from miner_agent.domain.placement import Placement
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.journal import NoSuchPlacement
from miner_agent.runtime import CannotRun

logger = logging.getLogger(__name__)


class PortMoved(Exception):
    """Another port was chosen; the container has to be made again for it."""


#: failures that happen on a sound machine; everything else is logged with its traceback
EXPECTED = (
    CannotRun,
    DiskFailed,
    EngineRefused,
    EngineUnavailable,
    NoSuchPlacement,
    PortMoved,
    PortTaken,
)


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

    def failed(self, placement_id: UUID, error: Exception) -> bool:
        """Put the next try off; say whether it has failed for so long that somebody should hear."""
        failures = self._failures.get(placement_id, 0) + 1
        delay_ms = 0 if isinstance(error, PortMoved) else backoff.delay_ms(failures=failures)
        self._at_ms[placement_id] = self._clock.boot_ms() + delay_ms
        logger.warning(
            "placement step failed",
            exc_info=None if isinstance(error, EXPECTED) else error,
            extra={"placement": str(placement_id), "error": str(error), "failures": failures},
        )
        if isinstance(error, EngineUnavailable):
            # The machine's trouble, not this placement's: the look at the machine reports it.
            return False
        self._failures[placement_id] = failures
        return backoff.persists(failures=failures)


def reason(placement: Placement, error: Exception) -> tuple[str, str]:
    """Return code and sentence of a start that went on failing."""
    if isinstance(error, CannotRun):
        return error.code, str(error)
    if isinstance(error, PortTaken):
        return "port_unavailable", f"Another program of this machine keeps port {placement.port}."
    return "start_failed", "This machine could not start it, however often it tried."
