"""This will make one word of what several validators say, weighed by their stake (decision 27)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.validator import VerdictState

#: from the best to the worst
ORDER = tuple(VerdictState)


@dataclass(frozen=True, slots=True)
class Word:
    """What one validator says now: of each there is one word at most."""

    state: VerdictState
    #: 0: it is published and decides nothing
    stake: int
    expires_at_ms: int = 0


def decide(words: Iterable[Word]) -> VerdictState | None:
    """Return the best state for which more than half of the stake vouches. None: no stake spoke.

    A word vouches for its own state and for every worse one. A ban needs more than two thirds of
    the stake for itself; short of that the machine is suspended.
    """
    said = list(words)
    total = sum(word.stake for word in said)
    if total == 0:
        return None
    if 3 * _stake(said, VerdictState.BANNED) > 2 * total:
        return VerdictState.BANNED
    vouched = 0
    for state in ORDER[:-1]:
        vouched += _stake(said, state)
        if 2 * vouched > total:
            return state
    return VerdictState.SUSPENDED


def stands_until_ms(words: Sequence[Word]) -> int | None:
    """Return when the decision changes because words expire. None: there is none to change."""
    left = sorted(words, key=lambda word: word.expires_at_ms)
    decided = decide(left)
    if decided is None:
        return None
    while left:
        ends_at_ms = left[0].expires_at_ms
        left = [word for word in left if word.expires_at_ms > ends_at_ms]
        if decide(left) is not decided:
            break
    return ends_at_ms


def _stake(words: Iterable[Word], state: VerdictState) -> int:
    return sum(word.stake for word in words if word.state is state)
