"""Whose doing an incident most likely was, and that nothing counts twice."""

from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner_agent.domain.incidents import (
    blame_of_xid,
    disk_error,
    gather,
    lost_bits,
    machine_out_of_memory,
    new_kills,
    out_of_memory,
    risen,
    too_hot,
    xid,
)
from protocol.usage import IncidentBlame

RENTAL = UUID(int=7)


@pytest.mark.parametrize(
    ("code", "blame"),
    [
        (31, IncidentBlame.RENTER),
        (79, IncidentBlame.MACHINE),
        (48, IncidentBlame.MACHINE),
        (45, IncidentBlame.UNKNOWN),
        (100_000, IncidentBlame.UNKNOWN),
    ],
)
def test_an_xid_hints_at_whose_doing_it_was(code: int, blame: IncidentBlame) -> None:
    assert blame_of_xid(code) is blame
    event = xid(code, gpu_uuid="GPU-1", placement_id=RENTAL, at_ms=1)
    assert (event.blame, event.placement_id) == (blame, RENTAL)


def test_a_card_that_nobody_uses_blames_no_renter() -> None:
    assert xid(31, gpu_uuid="GPU-1", placement_id=None, at_ms=1).blame is IncidentBlame.UNKNOWN


def test_a_renter_is_blamed_for_his_own_memory_only() -> None:
    assert out_of_memory(RENTAL, at_ms=1).blame is IncidentBlame.RENTER
    for event in (
        machine_out_of_memory(RENTAL, at_ms=1),
        disk_error("sda", at_ms=1),
        lost_bits("GPU-1", placement_id=RENTAL, at_ms=1),
        too_hot("GPU-1", placement_id=RENTAL, at_ms=1),
    ):
        assert event.blame is IncidentBlame.MACHINE


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=12),
)
def test_every_kill_is_told_once_however_late_the_kernel_counts_it(
    looks: list[tuple[int, int, bool]],
) -> None:
    """``own`` and ``others`` happen between two looks; the counter may lag behind the log."""
    counted = known = told = own_in_all = late = 0
    for own, others, lags in [*looks, (0, 0, False)]:
        own_in_all += own
        counted += own + late + (0 if lags else others)
        late = others if lags else 0
        new, known = new_kills(counted=counted, known=known, by_machine=others)
        told += new
    # A kill by the machine may hide one of the renter's that came in the very same look.
    assert told <= own_in_all
    if not any(lags for _, _, lags in looks):
        assert told == own_in_all


def test_a_counter_that_is_seen_first_is_no_news() -> None:
    assert risen({"a": 5, "b": 2, "c": 1}, {"b": 1, "c": 1}) == {"b": 1}


def test_what_is_alike_is_one_incident_with_a_count() -> None:
    events = [disk_error("sda", at_ms=at) for at in (3, 4, 5)] + [disk_error("sdb", at_ms=9)]
    first, second = gather(events, new_id=uuid4)
    assert (first.count, first.at_ms, second.count) == (3, 3, 1)
    assert all(one.incident_id != other.incident_id for one, other in pairwise([first, second]))
