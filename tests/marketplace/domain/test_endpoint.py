"""What an endpoint's replicas need now."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from marketplace.domain import endpoint as domain
from marketplace.domain.endpoint import EndpointState, Plan, Reason, Replica, plan

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def replica(number: int = 1, **changed: object) -> Replica:
    """Return one that has been answering for an hour and is paid for another."""
    made = Replica(
        placement_id=UUID(int=number),
        created_at=after(-3700 + number),
        waits_since=after(-3650),
        answered_at=after(-3600),
        silent_since=None,
        lost=False,
        stopped=False,
        funded_until=after(domain.TERM_S),
        longest_until=after(30 * 86_400),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def planned(*replicas: Replica, wanted: int = 1, deleted: bool = False) -> Plan:
    return plan(replicas, wanted=wanted, deleted=deleted, now=NOW)


def ended(found: Plan) -> dict[int, Reason]:
    return {placement_id.int: reason for placement_id, reason in found.ends}


def test_as_many_as_wanted_need_nothing() -> None:
    assert planned(replica(1), replica(2), wanted=2) == Plan(steady=True)


def test_those_that_are_missing_begin() -> None:
    assert planned(wanted=3).missing == 3
    assert planned(replica(), wanted=3).missing == 2


def test_of_too_many_who_answers_stays_and_then_the_eldest() -> None:
    starting = replica(1, waits_since=None, answered_at=None)
    silent = replica(2, silent_since=after(-1))
    found = planned(starting, silent, replica(3), replica(4), wanted=1)
    assert ended(found) == dict.fromkeys((1, 2, 4), Reason.SCALED_DOWN)
    assert found.missing == 0


def test_where_none_is_wanted_all_end() -> None:
    last = replica(2, longest_until=after(10), funded_until=after(10))
    assert ended(planned(replica(1), last, wanted=0)) == dict.fromkeys((1, 2), Reason.SCALED_DOWN)
    found = planned(replica(1), wanted=3, deleted=True)
    assert (ended(found), found.missing) == ({1: Reason.DELETED}, 0)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"funded_until": NOW}, Reason.UNFUNDED),
        ({"lost": True}, Reason.SILENT),
        ({"stopped": True}, Reason.STOPPED),
        ({"silent_since": after(-domain.SILENT_S_MAX)}, Reason.SILENT),
        (
            {"answered_at": None, "waits_since": after(-domain.FIRST_ANSWER_S_MAX)},
            Reason.NEVER_ANSWERED,
        ),
    ],
)
def test_one_that_does_not_answer_or_is_not_paid_for_is_replaced(
    changed: dict[str, object], reason: Reason
) -> None:
    found = planned(replica(1, **changed))
    assert (ended(found), found.missing, found.steady) == ({1: reason}, 1, False)


@pytest.mark.parametrize(
    "changed",
    [
        {"silent_since": after(1 - domain.SILENT_S_MAX)},
        {"answered_at": None, "waits_since": after(1 - domain.FIRST_ANSWER_S_MAX)},
        {"answered_at": None, "waits_since": None},
    ],
)
def test_one_that_may_answer_yet_is_waited_for(changed: dict[str, object]) -> None:
    assert planned(replica(1, **changed)) == Plan()


def test_time_is_paid_ahead_as_far_as_the_host_rents() -> None:
    short = replica(1, funded_until=after(domain.EXTEND_BELOW_S - 1))
    assert planned(short).extensions == ((short.placement_id, after(domain.TERM_S)),)
    bounded = replace(short, longest_until=after(2200))
    assert planned(bounded).extensions == ((short.placement_id, after(2200)),)
    assert planned(replace(short, longest_until=short.funded_until)).extensions == ()


def test_one_that_can_have_no_more_time_has_a_successor_first() -> None:
    last = replica(1, funded_until=after(299), longest_until=after(299))
    assert planned(last) == Plan(missing=1)
    assert planned(last, replica(2)) == Plan(steady=True)


def test_it_is_steady_once_all_have_answered_for_a_while() -> None:
    assert not planned(replica(1, answered_at=after(1 - domain.STEADY_S))).steady
    assert not planned(replica(1, silent_since=after(-1))).steady
    assert not planned(wanted=0).steady


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (1, 2), (2, 4), (5, 32), (10, 600), (10_000, 600)]
)
def test_the_wait_doubles_up_to_a_bound(failures: int, seconds: int) -> None:
    assert domain.back_off_s(failures) == seconds


@pytest.mark.parametrize(("waits", "seconds"), [(0, 15), (1, 15), (2, 30), (5, 240), (10_000, 240)])
def test_what_finds_no_machine_is_tried_less_and_less(waits: int, seconds: int) -> None:
    assert domain.wait_s(waits) == seconds


@pytest.mark.parametrize(
    ("wanted", "ready", "state"),
    [
        (0, 0, EndpointState.STOPPED),
        (2, 0, EndpointState.STARTING),
        (2, 1, EndpointState.DEGRADED),
        (2, 2, EndpointState.READY),
        (1, 2, EndpointState.READY),
    ],
)
def test_the_state_is_what_answers(wanted: int, ready: int, state: EndpointState) -> None:
    assert domain.state_of(wanted=wanted, ready=ready) is state
