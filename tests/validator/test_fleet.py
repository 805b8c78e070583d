"""That validators or the network fail is no machine's fault, and sets no weights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.validator import EpochRecord, MachineRecord
from tests.validator.builders import (
    ALICE,
    BOB,
    EPOCH_MS,
    NOW_MS,
    cpu_record,
    epoch,
    record,
)
from validator.domain.scoring import RULES, score
from validator.domain.weights import (
    LATELY_MS,
    U16_MAX,
    Burn,
    FleetFailed,
    NothingToSet,
    check_fleet,
    plan,
    share_by_hotkey,
)

AS_OF_MS = NOW_MS + EPOCH_MS
UIDS = {ALICE: 1, BOB: 2}


def lost(number: int, ended_ms_ago: int, **changed: object) -> MachineRecord:
    """A machine whose last good verdict ended so long ago."""
    until_ms = AS_OF_MS - ended_ms_ago
    return record(number, has_valid_verdict=False, verified_until_ms=until_ms, **changed)


def there(number: int, **changed: object) -> MachineRecord:
    return record(number, verified_until_ms=AS_OF_MS + 60_000, **changed)


def points(machine: MachineRecord) -> int:
    return score(epoch(machine))[0].points_micro


@given(st.integers(0, RULES.unknown_ms - 1))
def test_silence_is_unknown_and_never_zero_until_the_deadline(silent_ms: int) -> None:
    unknown = lost(1, silent_ms, is_unknown=True)
    assert points(unknown) == points(there(1)) > 0


@given(st.integers(RULES.unknown_ms, 10 * LATELY_MS))
def test_silence_beyond_the_deadline_earns_nothing(silent_ms: int) -> None:
    assert points(lost(1, silent_ms, is_unknown=True)) == 0


@given(st.integers(0, LATELY_MS))
def test_a_word_that_stands_and_is_no_good_one_is_no_silence(silent_ms: int) -> None:
    assert points(lost(1, silent_ms, is_unknown=False)) == 0


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), st.integers(1, LATELY_MS - 1))
def test_a_fleet_that_failed_at_once_sets_no_weights(gpus: list[int], ago_ms: int) -> None:
    """Whoever scored nothing or was never there changes nothing about that."""
    failed = [lost(number, ago_ms, gpus=one) for number, one in enumerate(gpus, start=1)]
    never = cpu_record(99, has_valid_verdict=False)
    with pytest.raises(FleetFailed):
        check_fleet(epoch(*failed, never))


def test_it_is_the_capacity_that_counts_and_not_the_machines() -> None:
    small = [lost(number, 60_000, gpus=1) for number in range(1, 8)]
    check_fleet(epoch(there(20), *small))
    check_fleet(epoch(there(20), lost(1, 60_000)))
    with pytest.raises(FleetFailed):
        check_fleet(epoch(there(20, gpus=7), lost(1, 60_000)))


def test_machines_that_left_long_ago_stop_nobody() -> None:
    check_fleet(epoch(there(20, gpus=1), lost(1, LATELY_MS)))


def test_a_fleet_that_is_unknown_is_none_that_failed() -> None:
    check_fleet(epoch(*(lost(number, 60_000, is_unknown=True) for number in (1, 2))))


machines = st.builds(
    record,
    st.integers(1, 99),
    miner_hotkey=st.sampled_from([ALICE, BOB, ""]),
    gpus=st.integers(0, 8),
    has_valid_verdict=st.booleans(),
    is_unknown=st.booleans(),
    verified_until_ms=st.integers(AS_OF_MS - 2 * LATELY_MS, AS_OF_MS + 60_000),
)
epochs = st.lists(machines, max_size=5, unique_by=lambda machine: machine.machine_id)


@given(epochs.map(lambda found: epoch(*found)))
def test_weights_are_never_all_zero(told: EpochRecord) -> None:
    """They are set with a largest one, or not at all."""
    try:
        check_fleet(told)
        planned = plan(
            share_by_hotkey=share_by_hotkey(score(told)), uid_by_hotkey=UIDS, burn=Burn()
        )
    except NothingToSet:
        return
    assert sum(planned.share_by_uid.values()) == 1
    assert max(planned.weight_by_uid.values()) == U16_MAX
