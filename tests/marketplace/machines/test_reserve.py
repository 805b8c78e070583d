"""A slice is taken exactly where there is room for it, and a refusal names what is in the way."""

from typing import Any
from uuid import uuid4

import pytest

from marketplace.domain.matching import ExceedsMachine, MachineOffline, OfferTaken, Slice
from marketplace.machines.actions.reserve import HeldByBids, Reserved, release, reserve
from marketplace.machines.models import Machine
from tests.marketplace.scene import GIB, hardware, machine

pytestmark = pytest.mark.django_db
PARTS = ("cpus", "memory_bytes", "gpus")
SOME = Slice(cpus=2, memory_bytes=GIB, disk_bytes=3 * GIB, gpus=1)


def on_hand(**changed: int) -> Machine:
    made = machine(of=hardware(cpus=8, gpus=4))
    Machine.objects.update(**changed)
    made.refresh_from_db()
    return made


def counted(on: Machine) -> dict[str, Any]:
    names = [f"{name}_{kind}" for name in PARTS for kind in ("free", "interruptible")]
    return Machine.objects.values(*names, "disk_bytes_free").get(id=on.id)


@pytest.mark.parametrize("asked", [0, 1, 2, 3])
@pytest.mark.parametrize("free", [-1, 0, 2])
@pytest.mark.parametrize("part", PARTS)
def test_so_much_is_taken_where_it_is_free(part: str, free: int, asked: int) -> None:
    on = on_hand(**{f"{part}_free": free})
    nothing = {"cpus": 0, "memory_bytes": 0, "disk_bytes": 0, "gpus": 0}
    wanted = Slice(**nothing | {part: asked})
    if wanted.exceeds(on.free):
        with pytest.raises(OfferTaken):
            reserve(machine_id=on.id, asked=wanted)
        assert counted(on)[f"{part}_free"] == free
    else:
        assert reserve(machine_id=on.id, asked=wanted) == Reserved("127.0.0.1", on.ports_total)
        assert counted(on)[f"{part}_free"] == free - asked


@pytest.mark.parametrize("interruptible", [False, True])
def test_what_is_taken_is_counted_and_given_back(interruptible: bool) -> None:
    on, other = on_hand(), machine()
    before, beside = counted(on), counted(other)
    reserve(machine_id=on.id, asked=SOME, interruptible=interruptible)
    assert counted(on) == before | {
        "cpus_free": 6,
        "memory_bytes_free": 7 * GIB,
        "gpus_free": 3,
        "disk_bytes_free": 97 * GIB,
        "cpus_interruptible": 2 * interruptible,
        "memory_bytes_interruptible": GIB * interruptible,
        "gpus_interruptible": 1 * interruptible,
    }
    release(machine_id=on.id, held=SOME, interruptible=interruptible)
    assert (counted(on), counted(other)) == (before, beside)


def test_what_others_would_be_outbid_for_is_told_apart_and_can_be_promised() -> None:
    on = on_hand(cpus_free=1, cpus_interruptible=1)
    with pytest.raises(HeldByBids):
        reserve(machine_id=on.id, asked=SOME)
    reserve(machine_id=on.id, asked=SOME, promised=True)
    assert counted(on)["cpus_free"] == -1


def test_its_disk_is_promised_to_nobody() -> None:
    on = on_hand(disk_bytes_free=GIB)
    with pytest.raises(OfferTaken, match="not enough left: disk"):
        reserve(machine_id=on.id, asked=SOME, promised=True)


def test_who_asks_for_what_nobody_gives_back_is_told_so() -> None:
    on = on_hand(gpus_free=0)
    with pytest.raises(OfferTaken, match="not enough left: GPUs") as refused:
        reserve(machine_id=on.id, asked=SOME)
    assert not isinstance(refused.value, HeldByBids)


def test_more_than_it_ever_has_and_a_machine_that_is_silent_or_unknown_are_refused() -> None:
    on = on_hand(cpus_total=1, cpus_free=1)
    with pytest.raises(ExceedsMachine, match="CPUs"):
        reserve(machine_id=on.id, asked=SOME)
    Machine.objects.update(online=False)
    for machine_id in (on.id, uuid4()):
        with pytest.raises(MachineOffline):
            reserve(machine_id=machine_id, asked=SOME)


@pytest.mark.parametrize("desired", [False, True])
def test_the_machine_is_told_where_something_is_desired_of_it(desired: bool) -> None:
    on = on_hand()
    reserve(machine_id=on.id, asked=SOME, desired=desired)
    on_then = on.desired_revision
    on.refresh_from_db()
    assert on.desired_revision == on_then + desired
