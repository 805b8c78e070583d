"""One row that cannot be done keeps no other waiting, and a silent partner is asked no further."""

import logging

import pytest
from django.db import OperationalError

from marketplace.one_by_one import FAILURES_MAX, LOSSES_MAX, SILENCES_MAX, one_by_one


class Silent(Exception):
    """Nobody answers."""


class Half:
    """Halves what it is given, and knows no odd number."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, number: int) -> int:
        self.asked.append(number)
        if number % 2:
            raise ValueError(number)
        return number // 2


def test_whoever_fails_is_logged_and_counts_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    half = Half()
    assert one_by_one([1, 2, 3, 4, 5, 6, 8], half, failed="Not halved", most=3) == [1, 2, 3]
    assert half.asked == [1, 2, 3, 4, 5, 6]
    failed = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert [(one.message, vars(one)["row"]) for one in failed] == [
        ("Not halved", "1"),
        ("Not halved", "3"),
        ("Not halved", "5"),
    ]


def test_who_does_not_answer_is_asked_a_few_times_and_no_more() -> None:
    asked: list[int] = []

    def ask(number: int) -> int:
        asked.append(number)
        if number > 1:
            raise Silent
        return number

    assert one_by_one(range(10), ask, failed="", most=10, silence=(Silent,)) == [0, 1]
    assert asked == list(range(2 + SILENCES_MAX))


def test_so_many_that_fail_are_no_rows_fault() -> None:
    half = Half()
    odd = range(1, 1001, 2)
    assert one_by_one(odd, half, failed="", most=7) == []
    assert len(half.asked) == 7 + FAILURES_MAX


def test_a_moment_of_the_database_is_one_rows_and_more_of_them_end_the_pass(db: None) -> None:
    asked: list[int] = []

    def lose(number: int) -> int:
        asked.append(number)
        if number:
            raise OperationalError
        return number

    assert one_by_one([1, 0, 1, 0], lose, failed="", most=4) == [0, 0]
    asked.clear()
    with pytest.raises(OperationalError):
        one_by_one([0, *range(1, 100)], lose, failed="", most=100)
    assert asked == list(range(1 + LOSSES_MAX))
