"""This will say which placements' steps may be tried now, after those that failed."""

import logging

from miner_agent.clock import Clock
from miner_agent.command import CommandFailed
from miner_agent.containers import PortTaken
from miner_agent.disk import DiskFailed
from miner_agent.domain import backoff
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import STARTS, Action, Step
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.journal import NoSuchPlacement
from miner_agent.market import MarketRefused, MarketUnreachable
from miner_agent.runtime import CannotRun
from miner_agent.transfers import BlobBroken

logger = logging.getLogger(__name__)


class PortMoved(Exception):
    """Another port was chosen; the container has to be made again for it."""


#: failures that happen on a sound machine; everything else is logged with its traceback
EXPECTED = (
    CannotRun,
    DiskFailed,
    EngineRefused,
    EngineUnavailable,
    BlobBroken,
    CommandFailed,
    MarketRefused,
    MarketUnreachable,
    NoSuchPlacement,
    PortMoved,
    PortTaken,
)


class Retries:
    """Failures in a row and the next try of each step; an agent that starts anew forgets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at_ms: dict[Action, int] = {}
        #: by step: the steps of one start count together
        self._failures: dict[Action, int] = {}

    def is_due(self, action: Action) -> bool:
        """Say whether this step of the placement may be tried now."""
        return self._at_ms.get(_counted(action), 0) <= self._clock.boot_ms()

    def succeeded(self, action: Action) -> None:
        """Forget the failures before; after a removal, those of all its steps."""
        for known in list(self._at_ms):
            is_over = action.step is Step.REMOVE and known.placement_id == action.placement_id
            if known == _counted(action) or is_over:
                self._at_ms.pop(known, None)
                self._failures.pop(known, None)

    def failed(self, action: Action, error: Exception) -> bool:
        """Put the next try off; say whether it has failed for so long that somebody should hear."""
        step = _counted(action)
        failures = self._failures.get(step, 0) + 1
        delay_ms = 0 if isinstance(error, PortMoved) else backoff.delay_ms(failures=failures)
        self._at_ms[step] = self._clock.boot_ms() + delay_ms
        logger.warning(
            "placement step failed",
            exc_info=None if isinstance(error, EXPECTED) else error,
            extra={
                "placement": str(action.placement_id),
                "error": str(error),
                "failures": failures,
            },
        )
        if isinstance(error, EngineUnavailable):
            # The machine's trouble, not this placement's: the look at the machine reports it.
            return False
        self._failures[step] = failures
        return backoff.persists(failures=failures)


def _counted(action: Action) -> Action:
    """Return the step that this one's failures count for."""
    if action.step in STARTS and not action.beside:
        return Action(action.placement_id, Step.BRING_UP)
    return action


def reason(placement: Placement, error: Exception) -> tuple[str, str]:
    """Return code and sentence of a start that went on failing."""
    if isinstance(error, CannotRun):
        return error.code, str(error)
    if isinstance(error, PortTaken):
        port = error.port or placement.port
        return "port_unavailable", f"Another program of this machine keeps port {port}."
    return "start_failed", "This machine could not start it, however often it tried."
