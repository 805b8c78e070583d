"""What each pass did last is kept, seldom enough to cost nothing, and never in a pass's way."""

from datetime import datetime

import pytest
from django.db import Error, connection
from django.test.utils import CaptureQueriesContext

from marketplace import passes
from marketplace.oversight.models import PassRun
from marketplace.oversight.pass_runs import EVERY_S, PassRuns
from marketplace.schedule import Pass
from tests.marketplace.scene import after

pytestmark = pytest.mark.django_db


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def rows() -> list[tuple[str, datetime | None, int | None, datetime | None, bool]]:
    names = ("name", "ended_at", "took_ms", "failed_at", "failing")
    return list(PassRun.objects.order_by("name").values_list(*names))


def test_runs_are_written_together_every_few_seconds(clock: Clock) -> None:
    runs = PassRuns(clock=clock)
    runs.note("a", took_ms=5, failed=False, now=after(0))
    with CaptureQueriesContext(connection) as asked:
        for second in range(1, EVERY_S):
            clock.now_s += 1
            runs.note("a", took_ms=second, failed=False, now=after(second))
            runs.note("b", took_ms=7, failed=True, now=after(second))
    assert len(asked) == 0
    clock.now_s += 1
    runs.note("c", took_ms=1, failed=False, now=after(EVERY_S))
    last = after(EVERY_S - 1)
    assert rows() == [
        ("a", last, EVERY_S - 1, None, False),
        ("b", None, None, last, True),
        ("c", after(EVERY_S), 1, None, False),
    ]


def test_a_failure_leaves_when_it_last_went_well(clock: Clock) -> None:
    runs = PassRuns(clock=clock)
    for second, failed in ((0, False), (20, True)):
        clock.now_s += EVERY_S
        runs.note("a", took_ms=second, failed=failed, now=after(second))
    assert rows() == [("a", after(0), 0, after(20), True)]
    clock.now_s += EVERY_S
    runs.note("a", took_ms=3, failed=False, now=after(40))
    assert rows() == [("a", after(40), 3, after(20), False)]


def test_a_database_that_fails_is_no_fault_of_the_pass(clock: Clock) -> None:
    def refuse(*_: object) -> None:
        raise Error

    runs = PassRuns(clock=clock)
    with connection.execute_wrapper(refuse):
        runs.note("a", took_ms=1, failed=False, now=after(0))
    assert rows() == []


def test_a_pass_is_noted_also_when_it_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*, now: datetime) -> None:
        raise ValueError("no")

    monkeypatch.setattr(passes, "import_string", {"w": lambda now: None, "b": broken}.__getitem__)
    monkeypatch.setattr(passes, "of_this_process", PassRuns(clock=lambda: 0.0))
    assert passes.run(Pass("well", "w", 1, 60), now=after(0))
    monkeypatch.setattr(passes, "of_this_process", PassRuns(clock=lambda: 0.0))
    with pytest.raises(ValueError, match="no"):
        passes.run(Pass("broken", "b", 1, 60), now=after(0))
    assert [(row[0], row[1] is not None, row[4]) for row in rows()] == [
        ("broken", False, True),
        ("well", True, False),
    ]
