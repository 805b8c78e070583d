"""An agent killed at a thousand random instants keeps every promise; planted mistakes are found.

``BERTH_TEST_KILLS=100000 python -m pytest tests/faults/test_kills.py`` goes on for longer.
"""

import os

import pytest

from tests.faults.kills.field import fight

KILLS = int(os.environ.get("BERTH_TEST_KILLS", "1000"))
SEED = int(os.environ.get("BERTH_TEST_SEED", "1"))
#: within which a planted mistake is found; nearly always by the first, but a busy machine gives an
#: agent little time to make it
KILLS_TO_FIND, SEEDS_TO_FIND = 80, range(1, 31)


def test_a_thousand_kills_break_no_promise() -> None:
    outcome = fight(kills=KILLS, seed=SEED)
    assert outcome.broken == []
    assert outcome.kills == KILLS
    # It did work between its deaths.
    assert outcome.starts > KILLS / 200
    assert outcome.ended > KILLS / 200
    assert outcome.intervals > KILLS / 100
    assert outcome.refused > 0
    assert outcome.jobs > 0
    assert outcome.volumes_used > 0
    assert outcome.volumes_removed > 0


@pytest.mark.parametrize("fault", ["no_label_scan", "frees_first", "unlocked"])
def test_a_planted_mistake_is_found(fault: str) -> None:
    fights = (
        fight(kills=KILLS_TO_FIND, seed=seed, hard=True, faults=(fault,)) for seed in SEEDS_TO_FIND
    )
    assert any(outcome.broken for outcome in fights)
