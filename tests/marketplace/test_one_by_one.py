"""One row that cannot be done keeps no other waiting, and a silent partner is asked no further."""

import logging

import pytest
from django.db import OperationalError

from marketplace.one_by_one import SILENCES_MAX, one_by_one


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

    assert one_by_one(range(10), ask, failed="", most=10, silence=Silent) == [0, 1]
    assert asked == list(range(2 + SILENCES_MAX))


def test_a_database_that_fails_ends_the_pass() -> None:
    def lose(number: int) -> int:
        raise OperationalError

    with pytest.raises(OperationalError):
        one_by_one([1, 2], lose, failed="", most=2)
