"""A machine is locked for whoever may have room there, by the very rule that refuses the others."""

import pytest
from django.db import transaction

from marketplace.domain.matching import Slice
from marketplace.machines.actions.lock import lock_where_open
from marketplace.machines.models import Machine
from tests.marketplace.scene import GIB, hardware, machine

NOTHING = Slice(cpus=0, memory_bytes=0, disk_bytes=0, gpus=0)
PARTS = ("cpus", "memory_bytes", "gpus")


@pytest.fixture
def on(db: None) -> Machine:
    return machine(of=hardware(cpus=8, gpus=4))


def is_locked(on: Machine, asked: Slice) -> bool:
    with transaction.atomic():
        return lock_where_open(machine_id=on.id, asked=asked)


@pytest.mark.parametrize("asked", [0, 1, 2, 3])
@pytest.mark.parametrize("interruptible", [0, 1, 3])
@pytest.mark.parametrize("free", [-1, 0, 2])
@pytest.mark.parametrize("part", PARTS)
def test_it_is_locked_exactly_where_it_may_have_room(
    on: Machine, part: str, free: int, interruptible: int, asked: int
) -> None:
    unit = GIB if part == "memory_bytes" else 1
    changes = {f"{part}_free": free * unit, f"{part}_interruptible": interruptible * unit}
    Machine.objects.filter(id=on.id).update(**changes)
    on.refresh_from_db()
    wanted = Slice(**{**vars_of(NOTHING), part: asked * unit})
    assert is_locked(on, wanted) == (not wanted.exceeds(on.open))


def test_all_of_a_large_machine_is_no_number_too_large(on: Machine) -> None:
    large = 64 << 40
    Machine.objects.filter(id=on.id).update(memory_bytes_total=large, memory_bytes_free=large)
    assert is_locked(on, Slice(cpus=1, memory_bytes=large, disk_bytes=0))
    assert not is_locked(on, Slice(cpus=1, memory_bytes=large + 1, disk_bytes=0))


def test_so_is_its_disk(on: Machine) -> None:
    disk = on.disk_bytes_free
    assert is_locked(on, Slice(cpus=1, memory_bytes=1, disk_bytes=disk))
    assert not is_locked(on, Slice(cpus=1, memory_bytes=1, disk_bytes=disk + 1))


def vars_of(part: Slice) -> dict[str, int]:
    return {name: getattr(part, name) for name in ("cpus", "memory_bytes", "disk_bytes", "gpus")}
