"""This will say which placements' steps may be tried now, after those that failed."""

import errno
import logging
from dataclasses import dataclass

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
from miner_agent.store import StoreUnwritable
from miner_agent.transfers import BlobBroken

#: what the system said is the host's business
NO_DISK = "This machine could not make its disk: rent another one; its host has to look."

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
    StoreUnwritable,
)


#: nothing of the placement's: that Docker is away or the disk full is told of the machine, and of a
#: marketplace that does not answer nobody could tell
OTHERS = (EngineUnavailable, MarketUnreachable, StoreUnwritable)


@dataclass(slots=True)
class Tries:
    """Failures in a row of one step."""

    #: on the clock since boot
    next_at_ms: int = 0
    failures: int = 0
    #: those that are the placement's or this machine's own
    own: int = 0


class Retries:
    """Failures in a row and the next try of each step; an agent that starts anew forgets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: by step: the steps of one start count together
        self._tries: dict[Action, Tries] = {}

    def is_due(self, action: Action) -> bool:
        """Say whether this step of the placement may be tried now."""
        tries = self._tries.get(_counted(action))
        return tries is None or tries.next_at_ms <= self._clock.boot_ms()

    def succeeded(self, action: Action) -> None:
        """Forget the failures before; after a removal, those of all its steps."""
        for known in list(self._tries):
            is_over = action.step is Step.REMOVE and known.placement_id == action.placement_id
            if known == _counted(action) or is_over:
                self._tries.pop(known, None)

    def failed(self, action: Action, error: Exception) -> bool:
        """Put the next try off; say whether it has failed for so long that somebody should hear."""
        tries = self._tries.setdefault(_counted(action), Tries())
        # Docker is back for all placements at once, and then none of them should wait for long.
        tries.failures += not isinstance(error, EngineUnavailable)
        tries.own += not _is_others(error)
        failures = max(1, tries.failures)
        delay_ms = 0 if isinstance(error, PortMoved) else backoff.delay_ms(failures=failures)
        tries.next_at_ms = self._clock.boot_ms() + delay_ms
        logger.warning(
            "placement step failed",
            exc_info=None if isinstance(error, EXPECTED) else error,
            extra={
                "placement": str(action.placement_id),
                "error": str(error),
                "failures": tries.failures,
            },
        )
        return not _is_others(error) and backoff.persists(failures=tries.own)


def _is_others(error: Exception) -> bool:
    is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return is_full or isinstance(error, OTHERS)


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
    if isinstance(error, BlobBroken):
        return "input_missing", "One of its inputs came broken, however often it was fetched."
    if isinstance(error, DiskFailed):
        return "no_capacity", NO_DISK
    return "start_failed", "This machine could not start it, however often it tried."
