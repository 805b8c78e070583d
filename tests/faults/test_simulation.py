"""A whole market on virtual time keeps its promises through every fault; one seed replays it."""

import pytest

from tests.faults.simulation import play

#: seeds x hours: with the test that settles, more than half of a simulated day
SEEDS, HOURS = range(3), 4.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_faulty_market_keeps_every_invariant(seed: int) -> None:
    outcome = play(seed, hours=HOURS)
    assert outcome.broken is None
    assert outcome.simulated_ms >= HOURS * 3_600_000
    for fault in ("kill agent", "cut off", "silence marketplace", "agent killed", "sync lost"):
        assert outcome.happened[fault] > 0, fault
    assert outcome.happened["container started"] > 0
    assert outcome.happened["ended: door_lost"] > 0
    assert outcome.happened["transfer"] > 0


def test_after_the_faults_everything_settles() -> None:
    assert play(100, hours=1.0, settle=True).broken is None


def test_one_seed_replays_everything() -> None:
    first, again = play(7, hours=0.5), play(7, hours=0.5)
    assert first.trace == again.trace
    assert first.trace != play(8, hours=0.05).trace
