from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from marketplace.domain.placement import (
    DEADLINES,
    ENDED,
    FUNDED,
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
FUNDED_UNTIL = NOW + timedelta(hours=1)
S = PlacementState

#: written out a second time, by hand: one row a state, its columns in the order of Event
EXPECTED = {
    S.WAITING: (
        *(None, None, None, S.COLLECTING, S.RELEASED, S.FAILED),
        *(S.COLLECTING, S.STOPPED, None, S.OFFERED, None, S.FAILED),
    ),
    S.OFFERED: (
        *(S.ACCEPTED, S.PREPARING, S.RUNNING, S.COLLECTING, S.RELEASED, S.REFUSED),
        *(S.COLLECTING, S.STOPPING, None, None, None, S.FAILED),
    ),
    S.ACCEPTED: (
        *(None, S.PREPARING, S.RUNNING, S.COLLECTING, S.RELEASED, S.FAILED),
        *(S.COLLECTING, S.STOPPING, None, None, None, S.FAILED),
    ),
    S.PREPARING: (
        *(None, None, S.RUNNING, S.COLLECTING, S.RELEASED, S.FAILED),
        *(S.COLLECTING, S.STOPPING, None, None, None, S.FAILED),
    ),
    S.RUNNING: (
        *(None, None, None, S.COLLECTING, S.RELEASED, S.FAILED),
        *(S.COLLECTING, S.STOPPING, None, None, None, S.COLLECTING),
    ),
    S.STOPPING: (
        *(None, None, None, S.COLLECTING, S.RELEASED, S.FAILED),
        *(S.COLLECTING, None, S.STOPPED, None, None, S.COLLECTING),
    ),
    S.STOPPED: (
        *(None, None, None, S.COLLECTING, S.RELEASED, S.FAILED),
        *(S.COLLECTING, None, None, S.OFFERED, S.WAITING, S.COLLECTING),
    ),
    S.COLLECTING: (
        *(None, None, None, None, S.RELEASED, S.FAILED),
        *(None, None, None, None, None, S.FAILED),
    ),
    S.RELEASED: (None,) * len(Event),
    S.REFUSED: (None,) * len(Event),
    S.FAILED: (None,) * len(Event),
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


def test_no_placement_ever_goes_back_but_by_a_start_of_what_has_stopped() -> None:
    order = [*LIVE, *ENDED]
    back = {
        (old, event) for (old, event), new in TABLE.items() if order.index(new) <= order.index(old)
    }
    assert back == {(S.STOPPED, Event.START), (S.STOPPED, Event.WAIT)}


@pytest.mark.parametrize("state", LIVE)
def test_every_live_state_has_a_deadline_and_something_that_follows_it(state: S) -> None:
    at = deadline(state, now=NOW, funded_until=FUNDED_UNTIL)
    assert at is not None
    assert at > NOW
    assert (state, Event.LATE) in TABLE


@pytest.mark.parametrize("state", ENDED)
def test_no_ended_state_has_a_deadline(state: S) -> None:
    assert deadline(state, now=NOW, funded_until=FUNDED_UNTIL) is None


@pytest.mark.parametrize("state", FUNDED)
def test_what_runs_or_stopped_is_late_after_its_funded_time_and_grace(state: S) -> None:
    at = deadline(state, now=NOW, funded_until=FUNDED_UNTIL, awaits_door=state is not S.RUNNING)
    assert at == FUNDED_UNTIL + timedelta(seconds=DEADLINES.running_grace_s)


def test_a_running_placement_whose_door_was_not_seen_is_late_sooner() -> None:
    soon = deadline(S.RUNNING, now=NOW, funded_until=FUNDED_UNTIL, awaits_door=True)
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
        ("input_missing", None),
    ],
)
def test_a_problem_is_the_machines_unless_the_renters_choice_or_nobody_caused_it(
    code: str, blame: Blame | None
) -> None:
    assert blame_of(code) is blame
