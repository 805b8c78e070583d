import pytest

from marketplace.domain.matching import (
    ExceedsMachine,
    MachineOffline,
    MachineUnverified,
    OfferTaken,
    Slice,
    check_fits,
    check_rentable,
)
from protocol.hardware import Resources

TOTAL = Slice(cpus=4, memory_bytes=8, disk_bytes=100, gpus=2)
FREE = Slice(cpus=2, memory_bytes=4, disk_bytes=50, gpus=1)


def test_a_request_in_the_fields_shape_becomes_a_slice() -> None:
    asked = Resources.of(cpus=2, ram_bytes=4, disk_bytes=50, gpus=1)
    assert Slice.of(asked) == FREE


def test_what_is_free_fits() -> None:
    check_fits(FREE, total=TOTAL, free=FREE)


@pytest.mark.parametrize("name", ["cpus", "memory_bytes", "disk_bytes", "gpus"])
def test_more_than_is_left_is_taken_and_more_than_there_is_exceeds(name: str) -> None:
    small = {"cpus": 1, "memory_bytes": 1, "disk_bytes": 1, "gpus": 1}
    with pytest.raises(OfferTaken):
        check_fits(Slice(**small | {name: getattr(FREE, name) + 1}), total=TOTAL, free=FREE)
    with pytest.raises(ExceedsMachine):
        check_fits(Slice(**small | {name: getattr(TOTAL, name) + 1}), total=TOTAL, free=FREE)


def test_who_outbids_all_may_have_what_is_free_and_bid_for_and_never_less_than_nothing() -> None:
    bid = Slice(cpus=3, memory_bytes=1, disk_bytes=0, gpus=0)
    owing = Slice(cpus=-1, memory_bytes=-2, disk_bytes=-3, gpus=1)
    assert owing.with_bids(bid) == Slice(cpus=2, memory_bytes=0, disk_bytes=0, gpus=1)


def test_only_a_machine_that_answers_and_is_vouched_for_is_rentable() -> None:
    check_rentable(online=True, verified=True)
    with pytest.raises(MachineOffline):
        check_rentable(online=False, verified=True)
    with pytest.raises(MachineUnverified):
        check_rentable(online=True, verified=False)
