"""A machine that waits may sync again, and a machine at work never has to wait."""

from uuid import UUID, uuid4

import pytest

from marketplace import sync_limits
from marketplace.sync_limits import (
    LARGE_MAX,
    SYNCS_A_SECOND,
    SYNCS_AT_ONCE,
    LargeBodies,
    SyncRate,
    TooManyLargeBodies,
    TooManySyncs,
)
from tests.marketplace.scene import NOW, after

MACHINE = UUID(int=1)


def test_waiting_helps_as_much_as_one_waited() -> None:
    rate = SyncRate()
    for _ in range(SYNCS_AT_ONCE):
        rate.take(MACHINE, NOW)
    with pytest.raises(TooManySyncs):
        rate.take(MACHINE, NOW)
    rate.take(UUID(int=2), NOW)
    for _ in range(SYNCS_A_SECOND):
        rate.take(MACHINE, after(1))
    with pytest.raises(TooManySyncs):
        rate.take(MACHINE, after(1))


def test_five_syncs_a_second_never_have_to_wait() -> None:
    rate = SyncRate()
    for number in range(10 * SYNCS_AT_ONCE):
        rate.take(MACHINE, after(number / SYNCS_A_SECOND))


def test_machines_that_waited_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_limits, "MACHINES_MAX", 3)
    rate = SyncRate()
    for _ in range(SYNCS_AT_ONCE):
        rate.take(MACHINE, after(1))
    for _ in range(9):
        rate.take(uuid4(), NOW)
    with pytest.raises(TooManySyncs):
        rate.take(MACHINE, after(1))


def test_so_many_large_bodies_are_read_at_once_in_all() -> None:
    large = LargeBodies()
    opened = [large.reading(str(number)) for number in range(LARGE_MAX)]
    for one in opened:
        one.__enter__()
    with pytest.raises(TooManyLargeBodies), large.reading("one more"):
        pass
    opened[0].__exit__(None, None, None)
    with large.reading("one more"):
        pass
