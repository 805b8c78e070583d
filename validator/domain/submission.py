"""This will decide whether weights are sent now, and how an attempt ended that nobody saw end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How an attempt ended. Source: research bittensor.md 6, by the chain's own refusals."""

    SET = "set"
    #: timelocked; the chain reveals the weights by itself
    COMMITTED = "committed"
    #: nothing was sent, on request
    DRY_RUN = "dry_run"
    #: the chain's limit, or less than a tempo since the last: try at the next tick, no error
    TOO_SOON = "too_soon"
    #: not registered, no permit, not enough stake, nobody scored: the operator must look
    NOT_READY = "not_ready"
    #: the weights or the version key are wrong: sending again will not help
    REJECTED = "rejected"
    #: marketplace or chain is down or refuses, nothing was set: try at the next tick
    UNREACHABLE = "unreachable"
    #: sent but not seen: the next run reads the chain before it sends again
    UNKNOWN = "unknown"


#: what a timer sees; 1 and 2 are Django's own, for what was typed or set wrongly
EXIT_CODES = {
    Outcome.SET: 0,
    Outcome.COMMITTED: 0,
    Outcome.DRY_RUN: 0,
    Outcome.TOO_SOON: 0,
    Outcome.NOT_READY: 3,
    Outcome.REJECTED: 4,
    Outcome.UNREACHABLE: 5,
    Outcome.UNKNOWN: 6,
}
#: a signed transaction can be taken in for so many blocks; the chain wants a power of two
MORTAL_BLOCKS = 16
#: Source: research bittensor.md 6, "12 s"
BLOCK_S = 12


@dataclass(frozen=True, slots=True)
class Standing:
    """How the subnet stood at one block, as far as it matters to one validator's weights."""

    block: int
    uid_by_hotkey: Mapping[str, int]
    #: None: the validator is not registered
    uid: int | None
    #: block at which this validator's weights were set or committed last; 0: never
    last_update: int
    rate_limit_blocks: int
    #: 0: the subnet has no epochs
    tempo_blocks: int = 0
    commit_reveal: bool = False
    version_key: int = 0
    #: whether it may set weights for others than itself
    permitted: bool = True
    #: "": unknown
    owner_hotkey: str = ""
    #: this validator's own row on chain, by uid
    weights: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """What is known of an attempt whose end nobody saw."""

    #: the block at which it was planned
    block: int
    weights: Mapping[int, int]
    #: after this block it can no longer be taken in
    dead_after_block: int


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome and why, for people."""

    outcome: Outcome
    detail: str


def dead_after(block: int, timeout_s: float) -> int:
    """Return the last block that may take in what is signed within ``timeout_s`` of ``block``."""
    return block + MORTAL_BLOCKS + -int(-timeout_s // BLOCK_S)


def hindrance(standing: Standing, *, hotkey: str, version_key: int, force: bool) -> Finding | None:
    """Return why nothing should be sent now; None: nothing speaks against it.

    ``force`` sends though a tempo has not passed; the chain's own limit holds all the same.
    """
    if standing.uid is None:
        return Finding(
            Outcome.NOT_READY, f"The hotkey {hotkey} is not registered on this subnet: register it."
        )
    if version_key < standing.version_key:
        return Finding(
            Outcome.REJECTED,
            f"The version key here is {version_key} and this subnet asks for"
            f" {standing.version_key}: update Berth, or raise BERTH_VALIDATOR_VERSION_KEY.",
        )
    wait = blocks_to_wait(standing, force=force)
    if wait > 0:
        return Finding(
            Outcome.TOO_SOON,
            f"Weights were set at block {standing.last_update}; {wait} blocks to wait.",
        )
    if not standing.permitted:
        return Finding(
            Outcome.NOT_READY,
            f"The hotkey {hotkey} has no validator permit: it needs more stake, and then an epoch.",
        )
    return None


def blocks_to_wait(standing: Standing, *, force: bool = False) -> int:
    """Return how many blocks lie before the next attempt; 0: it may be now.

    Consensus reads weights once a tempo, so more often costs fees and changes nothing.
    """
    if standing.last_update == 0:
        return 0
    limit = standing.rate_limit_blocks
    pause = limit if force else max(limit, standing.tempo_blocks)
    return max(0, standing.last_update + pause - standing.block)


def settle(attempt: OpenAttempt, standing: Standing) -> Finding | None:
    """Return how an attempt ended, by what the chain shows now; None: it may still be taken in."""
    if standing.last_update > attempt.block:
        return _landed(attempt, standing)
    if standing.block > attempt.dead_after_block:
        return Finding(
            Outcome.UNREACHABLE,
            f"Not taken in by block {attempt.dead_after_block}, and it no longer can be.",
        )
    return None


def _landed(attempt: OpenAttempt, standing: Standing) -> Finding:
    at = f"Found on chain: block {standing.last_update}."
    if standing.commit_reveal:
        return Finding(Outcome.COMMITTED, at)
    if _alike(attempt.weights, standing.weights or {}):
        return Finding(Outcome.SET, at)
    return Finding(
        Outcome.UNKNOWN,
        f"Other weights were set at block {standing.last_update}: does this hotkey set them from"
        " somewhere else too?",
    )


def _alike(asked: Mapping[int, int], found: Mapping[int, int]) -> bool:
    # The SDK rounds fractions that it holds as floats, and this side exact ones.
    return all(abs(asked.get(uid, 0) - found.get(uid, 0)) <= 1 for uid in {*asked, *found})
