from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from marketplace.domain.placement import (
    DEADLINES,
    ENDED,
    LATE_FAULTS,
    LIVE,
    TABLE,
    Blame,
    Event,
    NoTransition,
    PlacementState,
    advance,
    blame_of,
    deadline,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FUNDED = NOW + timedelta(hours=1)
S = PlacementState

#: written out a second time, by hand: one row a state, its columns in the order of Event
EXPECTED = {
    S.OFFERED: (
        S.ACCEPTED,
        S.PREPARING,
        S.RUNNING,
        S.COLLECTING,
        S.RELEASED,
        S.REFUSED,
        S.COLLECTING,
        S.FAILED,
    ),
    S.ACCEPTED: (
        None,
        S.PREPARING,
        S.RUNNING,
        S.COLLECTING,
        S.RELEASED,
        S.FAILED,
        S.COLLECTING,
        S.FAILED,
    ),
    S.PREPARING: (
        None,
        None,
        S.RUNNING,
        S.COLLECTING,
        S.RELEASED,
        S.FAILED,
        S.COLLECTING,
        S.FAILED,
    ),
    S.RUNNING: (
        None,
        None,
        None,
        S.COLLECTING,
        S.RELEASED,
        S.FAILED,
        S.COLLECTING,
        S.COLLECTING,
    ),
    S.COLLECTING: (None, None, None, None, S.RELEASED, S.FAILED, None, S.FAILED),
    S.RELEASED: (None,) * 8,
    S.REFUSED: (None,) * 8,
    S.FAILED: (None,) * 8,
}


@pytest.mark.parametrize(("state", "event"), list(product(S, Event)))
def test_every_state_and_event_follow_the_table(state: S, event: Event) -> None:
    expected = EXPECTED[state][list(Event).index(event)]
    if expected is None:
        with pytest.raises(NoTransition):
            advance(state, event)
    else:
        assert advance(state, event) is expected


@pytest.mark.parametrize(("old", "new"), list(product(S, S)))
def test_only_these_states_follow_one_another(old: S, new: S) -> None:
    allowed = {target for (state, _), target in TABLE.items() if state is old}
    assert (new in allowed) == (new in set(EXPECTED[old]) - {None})


def test_no_placement_ever_goes_back() -> None:
    order = [*LIVE, *ENDED]
    assert all(order.index(new) > order.index(old) for (old, _), new in TABLE.items())


@pytest.mark.parametrize("state", LIVE)
def test_every_live_state_has_a_deadline_and_something_that_follows_it(state: S) -> None:
    at = deadline(state, now=NOW, funded_until=FUNDED)
    assert at is not None
    assert at > NOW
    assert (state, Event.LATE) in TABLE


@pytest.mark.parametrize("state", ENDED)
def test_no_ended_state_has_a_deadline(state: S) -> None:
    assert deadline(state, now=NOW, funded_until=FUNDED) is None


def test_a_running_placement_is_late_after_its_funded_time_and_grace() -> None:
    at = deadline(S.RUNNING, now=NOW, funded_until=FUNDED)
    assert at == FUNDED + timedelta(seconds=DEADLINES.running_grace_s)


def test_a_running_placement_whose_door_was_not_seen_is_late_sooner() -> None:
    soon = deadline(S.RUNNING, now=NOW, funded_until=FUNDED, awaits_door=True)
    assert soon == NOW + timedelta(seconds=DEADLINES.door_s)
    short = deadline(S.RUNNING, now=NOW, funded_until=NOW, awaits_door=True)
    assert short == NOW + timedelta(seconds=DEADLINES.running_grace_s)


def test_every_failure_by_lateness_names_its_fault() -> None:
    late = {old for (old, event), new in TABLE.items() if event is Event.LATE and new is S.FAILED}
    assert late == set(LATE_FAULTS)


@pytest.mark.parametrize(
    ("code", "blame"),
    [
        ("image_unknown", Blame.RENTER),
        ("image_pull_failed", Blame.RENTER),
        ("docker_unavailable", Blame.MACHINE),
        ("something_new", Blame.MACHINE),
    ],
)
def test_a_problem_is_the_machines_unless_the_renters_choice_caused_it(
    code: str, blame: Blame
) -> None:
    assert blame_of(code) is blame
