"""Whether weights are sent now, and how an attempt ended that nobody saw end."""

from dataclasses import replace

import pytest

from tests.validator.builders import ALICE
from validator.domain.submission import (
    EXIT_CODES,
    OpenAttempt,
    Outcome,
    Standing,
    blocks_to_wait,
    dead_after,
    hindrance,
    settle,
)

STANDING = Standing(
    block=1000,
    uid_by_hotkey={ALICE: 4},
    uid=4,
    last_update=500,
    rate_limit_blocks=100,
    tempo_blocks=360,
)
ATTEMPT = OpenAttempt(block=990, weights={1: 65_535}, dead_after_block=1021)


def hindered(*, own_key: int = 0, force: bool = False, **changes: object) -> Outcome | None:
    standing = replace(STANDING, **changes)
    found = hindrance(standing, hotkey=ALICE, version_key=own_key, force=force)
    return None if found is None else found.outcome


def test_a_validator_that_may_set_weights_is_not_hindered() -> None:
    assert hindered() is None


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"uid": None}, Outcome.NOT_READY),
        ({"permitted": False}, Outcome.NOT_READY),
        ({"version_key": 1}, Outcome.REJECTED),
        ({"last_update": 641}, Outcome.TOO_SOON),
    ],
)
def test_what_hinders_it(changes: dict[str, object], outcome: Outcome) -> None:
    assert hindered(**changes) is outcome


@pytest.mark.parametrize(
    ("last_update", "rate_limit", "tempo", "waits", "waits_forced"),
    [
        (0, 100, 360, 0, 0),
        (999, 100, 360, 359, 99),
        (900, 100, 360, 260, 0),
        (640, 100, 360, 0, 0),
        (950, 500, 360, 450, 450),
        (999, 0, 0, 0, 0),
    ],
)
def test_the_pause_is_a_tempo_and_the_chain_s_limit_at_least(
    last_update: int, rate_limit: int, tempo: int, waits: int, waits_forced: int
) -> None:
    standing = replace(
        STANDING, last_update=last_update, rate_limit_blocks=rate_limit, tempo_blocks=tempo
    )
    assert blocks_to_wait(standing) == waits
    assert blocks_to_wait(standing, force=True) == waits_forced


@pytest.mark.parametrize(
    ("block", "last_update", "outcome"),
    [
        (991, 500, None),
        (1021, 990, None),
        (1022, 990, Outcome.UNREACHABLE),
        (1000, 991, Outcome.SET),
        (1030, 1021, Outcome.SET),
    ],
)
def test_an_open_attempt_is_settled_by_what_the_chain_shows(
    block: int, last_update: int, outcome: Outcome | None
) -> None:
    standing = replace(
        STANDING, block=block, last_update=last_update, weights=dict(ATTEMPT.weights)
    )
    found = settle(ATTEMPT, standing)
    assert (None if found is None else found.outcome) is outcome


def test_an_open_attempt_on_a_subnet_with_commits_is_one() -> None:
    found = settle(ATTEMPT, replace(STANDING, last_update=995, commit_reveal=True, weights={}))
    assert found is not None
    assert found.outcome is Outcome.COMMITTED


@pytest.mark.parametrize(
    ("weights", "outcome"),
    [
        ({1: 65_535}, Outcome.SET),
        ({1: 65_534, 2: 1}, Outcome.SET),
        ({1: 65_533}, Outcome.UNKNOWN),
        ({1: 65_535, 2: 2}, Outcome.UNKNOWN),
        ({2: 65_535}, Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
    ],
)
def test_other_weights_than_those_asked_for_are_not_ours(
    weights: dict[int, int] | None, outcome: Outcome
) -> None:
    found = settle(ATTEMPT, replace(STANDING, last_update=995, weights=weights))
    assert found is not None
    assert found.outcome is outcome
    assert ("somewhere else" in found.detail) == (outcome is Outcome.UNKNOWN)


@pytest.mark.parametrize(("timeout_s", "last"), [(180, 131), (1, 117), (12.5, 118)])
def test_a_transaction_lives_sixteen_blocks_from_when_it_was_signed(
    timeout_s: float, last: int
) -> None:
    assert dead_after(100, timeout_s) == last


def test_every_outcome_has_an_exit_code_of_its_own_or_is_fine() -> None:
    alarms = [code for code in EXIT_CODES.values() if code]
    assert set(EXIT_CODES) == set(Outcome)
    assert len(set(alarms)) == len(alarms)
    assert not set(alarms) & {1, 2}


def test_a_newer_version_key_than_the_subnet_s_will_do() -> None:
    assert hindered(own_key=7, version_key=7) is None
    assert hindered(own_key=8, version_key=7) is None
