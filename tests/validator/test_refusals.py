"""What refusals cost, and how long."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.domain.refusals import HOUR_MS, refusal_factor

NOW_MS = 1_800_000_000_000
AGES = st.lists(st.integers(0, 60 * HOUR_MS), max_size=20)


def factor(*ages_h: float) -> Fraction:
    return refusal_factor([NOW_MS - int(age * HOUR_MS) for age in ages_h], NOW_MS)


@pytest.mark.parametrize(
    ("ages_h", "left"),
    [
        ((), "1"),
        ((0,), "0.8"),
        ((0, 0), "0.64"),
        ((1,), "0.82"),
        ((10,), "1"),
        ((1000,), "1"),
        # 0.8, an hour later 0.82, then x 0.8
        ((1, 0), "0.656"),
        ((0,) * 11, "0.1"),
        ((45,) * 30, "1"),
        ((44,) * 30, "0.98"),
    ],
)
def test_a_refusal_takes_a_fifth_and_time_gives_it_back(
    ages_h: tuple[float, ...], left: str
) -> None:
    assert factor(*ages_h) == Fraction(left)


@given(AGES, st.integers(0, 60 * HOUR_MS))
def test_one_more_refusal_never_raises_the_factor(ages: list[int], more: int) -> None:
    moments = [NOW_MS - age for age in ages]
    before = refusal_factor(moments, NOW_MS)
    after = refusal_factor([*moments, NOW_MS - more], NOW_MS)
    assert Fraction(1, 10) <= after <= before <= 1


@given(AGES, st.integers(0, 100 * HOUR_MS))
def test_time_without_refusal_never_lowers_the_factor(ages: list[int], later: int) -> None:
    moments = [NOW_MS - age for age in ages]
    assert refusal_factor(moments, NOW_MS + later) >= refusal_factor(moments, NOW_MS)


def test_a_refusal_after_the_moment_of_the_record_is_not_counted() -> None:
    assert refusal_factor([NOW_MS + 1], NOW_MS) == 1
