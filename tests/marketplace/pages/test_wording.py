"""Numbers in words."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.pages import wording


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 MiB"), (512 << 20, "512 MiB"), (16 << 30, "16 GiB"), (3 << 39, "1.5 TiB")],
)
def test_sizes(size_bytes: int, words: str) -> None:
    assert wording.size(size_bytes) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-1, "0 s"),
        (999, "0 s"),
        (200_000, "3 min 20 s"),
        (3_600_000, "1 h"),
        (3_601_000, "1 h"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_durations_keep_the_two_largest_units(milliseconds: int, words: str) -> None:
    assert wording.duration(milliseconds) == words


@pytest.mark.parametrize(
    ("per_second", "words"),
    [(0, "–"), (950, "950/s"), (1250, "1.25 k/s"), (8_000_000, "8 M/s"), (12 * 10**9, "12 G/s")],
)
def test_rates(per_second: int, words: str) -> None:
    assert wording.rate(per_second) == words


def test_moments() -> None:
    at = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    assert wording.moment(at) == "1 Mar 2026, 09:05:00 UTC"
    assert wording.moment(None) == "–"
    assert wording.ago(at, at + timedelta(seconds=61)) == "1 min 1 s ago"
    assert wording.ago(None, at) == "never"
    assert (wording.count(1, "CPU"), wording.count(2, "CPU")) == ("1 CPU", "2 CPUs")
