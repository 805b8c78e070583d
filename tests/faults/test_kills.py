"""An agent killed at a thousand random instants keeps every promise; planted mistakes are found.

``BERTH_TEST_KILLS=100000 python -m pytest tests/faults/test_kills.py`` goes on for longer.
"""

import os
from collections import Counter

import pytest

from tests.faults.kills.field import fight

KILLS = int(os.environ.get("BERTH_TEST_KILLS", "1000"))
SEED = int(os.environ.get("BERTH_TEST_SEED", "1"))
#: the work that is to be done between the deaths. One fight nearly always does it; a busy machine
#: lets an agent do little between two kills, and then further fights add to it.
MORE_THAN = {
    "starts": KILLS / 200,
    "ended": KILLS / 200,
    "intervals": KILLS / 100,
    "refused": 0,
    "jobs": 0,
    "volumes_used": 0,
    "volumes_removed": 0,
}
FIGHTS_MOST = 10
#: within which a planted mistake is found; nearly always by the first, but a busy machine gives an
#: agent little time to make it
KILLS_TO_FIND, SEEDS_TO_FIND = 80, range(1, 31)


def test_a_thousand_kills_break_no_promise() -> None:
    done: Counter[str] = Counter()
    for seed in range(SEED, SEED + FIGHTS_MOST):
        outcome = fight(kills=KILLS, seed=seed)
        assert outcome.broken == []
        assert outcome.kills == KILLS
        done.update({work: getattr(outcome, work) for work in MORE_THAN})
        if _has_worked(done):
            break
    assert _has_worked(done), done


@pytest.mark.parametrize("fault", ["no_label_scan", "frees_first", "unlocked"])
def test_a_planted_mistake_is_found(fault: str) -> None:
    fights = (
        fight(kills=KILLS_TO_FIND, seed=seed, hard=True, faults=(fault,)) for seed in SEEDS_TO_FIND
    )
    assert any(outcome.broken for outcome in fights)


def _has_worked(done: Counter[str]) -> bool:
    return all(done[work] > least for work, least in MORE_THAN.items())
