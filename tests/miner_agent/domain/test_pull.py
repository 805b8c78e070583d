"""How far a pull is."""

import pytest

from miner_agent.domain.pull import SLOW_S_MOST, SLOWEST_BYTES_S, Pull


def line(layer: str, status: str, current: int = 0, total: int = 0) -> dict[str, object]:
    detail = {"current": current, "total": total} if total else {}
    return {"id": layer, "status": status, "progressDetail": detail}


def test_a_pull_rises_through_fetching_and_unpacking() -> None:
    pull = Pull()
    pull.note({"status": "Pulling from library/debian", "id": "12"})
    assert pull.percent() is None
    told = []
    for one in (
        line("a", "Downloading", 50, 100),
        line("b", "Downloading", 0, 100),
        line("a", "Downloading", 100, 100),
        line("a", "Verifying Checksum"),
        line("a", "Download complete"),
        line("b", "Download complete"),
        line("a", "Extracting", 60, 100),
        line("a", "Pull complete"),
        line("b", "Pull complete"),
    ):
        pull.note(one)
        told.append(pull.percent())
    assert told == [25, 12, 25, 25, 25, 50, 65, 75, 100]


def test_a_layer_that_comes_a_second_time_does_not_fall_back() -> None:
    pull = Pull()
    pull.note(line("a", "Downloading", 90, 100))
    pull.note(line("a", "Downloading", 10, 100))
    assert pull.percent() == 45


def test_what_is_here_already_has_no_size() -> None:
    pull = Pull()
    pull.note(line("a", "Already exists"))
    pull.note(line("b", "Pull complete"))
    assert pull.percent() is None


@pytest.mark.parametrize(
    ("bytes_second", "too_slow"),
    [(1, True), (SLOWEST_BYTES_S - 1, True), (SLOWEST_BYTES_S, False), (10**7, False)],
)
def test_a_pull_that_drips_for_minutes_is_too_slow(bytes_second: int, too_slow: bool) -> None:
    pull = Pull()
    said = []
    for second in range(2 * SLOW_S_MOST + 1):
        pull.note(line("a", "Downloading", second * bytes_second, 10**12))
        said.append(pull.is_too_slow(now_s=second))
    assert not any(said[:SLOW_S_MOST])
    assert any(said) is too_slow


@pytest.mark.parametrize("status", ["Waiting", "Pulling fs layer", "Extracting"])
def test_a_pull_that_waits_or_unpacks_is_not_too_slow(status: str) -> None:
    pull = Pull()
    for second in range(3 * SLOW_S_MOST):
        pull.note(line("a", status))
        assert not pull.is_too_slow(now_s=second)
