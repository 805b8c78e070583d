"""This will say what the validator needs of a chain and how a submission may end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

import bittensor_core

from validator.domain.weights import Burn, WeightPlan


class Outcome(StrEnum):
    """How a submission ended. Source: research bittensor.md 6, by the chain's own refusals."""

    SET = "set"
    #: timelocked; the chain reveals the weights by itself
    COMMITTED = "committed"
    #: nothing was sent, on request
    DRY_RUN = "dry_run"
    #: rate limit: try at the next tick, not an error
    TOO_SOON = "too_soon"
    #: not registered, no permit or not enough stake: the operator must act
    NOT_READY = "not_ready"
    #: the weights or the version key are wrong: do not retry
    REJECTED = "rejected"
    #: the endpoint is down or refuses: try at the next tick
    UNREACHABLE = "unreachable"
    #: sent but not seen: read LastUpdate before sending again
    UNKNOWN = "unknown"


#: outcomes after which a timer need not raise an alarm
FINE = frozenset({Outcome.SET, Outcome.COMMITTED, Outcome.DRY_RUN, Outcome.TOO_SOON})


@dataclass(frozen=True, slots=True)
class Submission:
    """What to set and in whose name."""

    share_by_hotkey: Mapping[str, Fraction]
    keypair: bittensor_core.Keypair
    burn: Burn = field(default_factory=Burn)
    version_key: int = 0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """How a submission ended."""

    outcome: Outcome
    detail: str = ""
    block: int | None = None
    #: None: the chain was not reached or there was nothing to set
    plan: WeightPlan | None = None


class Chain(Protocol):
    """A place that takes weights. Uids are looked up and weights set at one block."""

    def submit(self, submission: Submission) -> Report:
        """Set the weights (or only plan them) and say how it ended; never raises for the chain."""
        ...
