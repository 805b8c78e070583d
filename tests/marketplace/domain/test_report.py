from datetime import UTC, datetime, timedelta

import pytest

from marketplace.domain.placement import Blame, Event, PlacementState
from marketplace.domain.report import Report, judge
from protocol.agent import ObservedState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
S = PlacementState
O = ObservedState  # noqa: E741  (the two sides of a table)


@pytest.mark.parametrize(
    ("observed", "event"),
    [(O.ACCEPTED, Event.ACCEPT), (O.PREPARING, Event.PREPARE), (O.RUNNING, Event.RUN)],
)
def test_progress_is_an_event_without_a_reason(observed: O, event: Event) -> None:
    step = judge(Report(observed), state=S.OFFERED, funded_until=LATER, now=NOW)
    assert (step.event, step.blame, step.code) == (event, None, "")


@pytest.mark.parametrize("state", [S.OFFERED, S.ACCEPTED, S.PREPARING, S.RUNNING])
@pytest.mark.parametrize("observed", [O.COLLECTING, O.GONE])
def test_an_end_that_nobody_asked_for_is_the_machines_fault(observed: O, state: S) -> None:
    step = judge(Report(observed), state=state, funded_until=LATER, now=NOW)
    assert (step.event, step.blame, step.code) == (Event.FAIL, Blame.MACHINE, "ended_early")


@pytest.mark.parametrize(
    ("observed", "event"), [(O.COLLECTING, Event.COLLECT), (O.GONE, Event.GONE)]
)
def test_an_end_that_was_asked_for_needs_no_reason(observed: O, event: Event) -> None:
    step = judge(Report(observed), state=S.COLLECTING, funded_until=LATER, now=NOW)
    assert (step.event, step.blame, step.code) == (event, None, "")


@pytest.mark.parametrize("problem_code", [None, "lease_ended"])
def test_an_end_at_the_end_of_the_funded_time_is_nobodys_fault(problem_code: str | None) -> None:
    report = Report(O.GONE, problem_code=problem_code)
    step = judge(report, state=S.RUNNING, funded_until=NOW, now=NOW)
    assert (step.event, step.blame, step.code) == (Event.GONE, None, "lease_ended")


def test_a_lease_that_a_machine_ends_far_too_early_is_its_fault() -> None:
    report = Report(O.GONE, problem_code="lease_ended")
    step = judge(report, state=S.RUNNING, funded_until=LATER, now=NOW)
    assert (step.event, step.blame) == (Event.FAIL, Blame.MACHINE)


def test_a_workload_that_ends_by_itself_is_nobodys_fault() -> None:
    step = judge(Report(O.GONE, exited=True), state=S.RUNNING, funded_until=LATER, now=NOW)
    assert (step.event, step.blame, step.code) == (Event.GONE, None, "exited")


def test_a_problem_keeps_its_code_and_sentence() -> None:
    report = Report(O.GONE, problem_code="image_unknown", problem_sentence="No such image.")
    step = judge(report, state=S.PREPARING, funded_until=LATER, now=NOW)
    assert (step.event, step.blame) == (Event.FAIL, Blame.RENTER)
    assert (step.code, step.sentence) == ("image_unknown", "No such image.")
