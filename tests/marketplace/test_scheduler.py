"""The embedded scheduler runs each lane beside the others, and survives a pass that breaks."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from marketplace import scheduler
from marketplace.schedule import PASSES, Pass
from marketplace.scheduler import Scheduler

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def play(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., object]) -> None:
    monkeypatch.setattr(scheduler, "import_string", functions.__getitem__)


def test_a_pass_that_waits_for_the_network_holds_up_no_other_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charged, stopped = threading.Event(), threading.Event()

    def look(*, now: datetime) -> None:
        # It ends only because the other lane goes on meanwhile.
        assert charged.wait(30)
        stopped.set()

    play(monkeypatch, look=look, charge=lambda now: charged.set())
    passes = (Pass("look", "look", 1, 60, lane="look"), Pass("charge", "charge", 1, 60))
    monkeypatch.setattr(scheduler, "PASSES", passes)
    scheduler.run_forever(lambda seconds: stopped.wait(30))
    assert stopped.is_set()


def test_a_pass_that_breaks_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def break_down(*, now: datetime) -> None:
        raise ValueError

    play(monkeypatch, one=break_down, two=lambda now: ran.append(now))
    passes = [Pass("one", "one", 5, 60), Pass("two", "two", 5, 60)]
    Scheduler(passes, clock=lambda: 0.0).step(now=NOW)
    assert ran == [NOW]


def test_a_pass_comes_again_after_its_period(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    play(monkeypatch, one=lambda now: ran.append(now))
    time = [0.0]
    one = Scheduler([Pass("one", "one", 5, 60)], clock=lambda: time[0])
    for moment in (0.0, 4.0, 5.0, 9.0, 10.0):
        time[0] = moment
        left_s = one.step(now=NOW)
    assert (len(ran), left_s) == (3, 5.0)


def test_what_waits_for_the_network_has_a_lane_of_its_own() -> None:
    lanes = {entry.name: entry.lane for entry in PASSES}
    assert lanes["charge"] == lanes["expire"] == lanes["sweep"]
    assert len({lanes["look"], lanes["reach"], lanes["charge"]}) == 3
