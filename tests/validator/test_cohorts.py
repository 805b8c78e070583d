"""Thirty days of honest and other miners on the real rules: honesty pays best."""

from functools import cache

import pytest

from benchmarks.cohorts.__main__ import PLOT
from benchmarks.cohorts.behaviour import BEHAVIOURS
from benchmarks.cohorts.market import DAYS, Account, play
from benchmarks.cohorts.plot import svg

SEEDS = (1, 2, 3)
HONEST, LAZY, SELF_RENTING, COLLUDING, DIVIDING, SPLITTING, GPUS, VRAM = (
    one.name for one in BEHAVIOURS
)
seeds = pytest.mark.parametrize("seed", SEEDS)


@cache
def played(seed: int) -> dict[str, Account]:
    return play(BEHAVIOURS, seed=seed)


@seeds
@pytest.mark.parametrize("other", [LAZY, SELF_RENTING, COLLUDING, SPLITTING, GPUS, VRAM])
def test_honesty_earns_the_most_for_a_dollar_of_cost(seed: int, other: str) -> None:
    honest, one = played(seed)[HONEST], played(seed)[other]
    assert honest.per_cost > 1.15 * one.per_cost


@seeds
def test_cutting_a_server_into_machines_earns_the_same(seed: int) -> None:
    honest, divided = played(seed)[HONEST], played(seed)[DIVIDING]
    assert abs(divided.per_cost / honest.per_cost - 1) < 0.002


@seeds
@pytest.mark.parametrize("cheat", [GPUS, VRAM])
def test_who_shows_what_is_not_there_gets_nothing(seed: int, cheat: str) -> None:
    assert played(seed)[cheat].emission == played(seed)[cheat].rent == 0


@seeds
def test_renting_from_oneself_costs_more_rent_than_it_gains_emission(seed: int) -> None:
    """So it is until a subnet pays more than thrice what the hardware costs."""
    honest, other = played(seed)[HONEST], played(seed)[SELF_RENTING]
    honest_cost, cost = honest.hardware + honest.fees, other.hardware + other.fees
    assert cost > honest_cost
    gained = other.emission / cost - honest.emission / honest_cost
    assert 0 < 3 * gained < honest.rent / honest_cost


def test_the_plot_in_the_documentation_is_what_the_rules_give() -> None:
    daily = {name: one.daily for name, one in played(SEEDS[0]).items()}
    assert {len(values) for values in daily.values()} == {DAYS}
    assert PLOT.read_text() == svg(daily)
