"""What is proposed to whoever rents: what they look for, and what comes with it for nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.matching import Slice
from marketplace.domain.pricing import price_hour
from marketplace.domain.proposed import LEAST, proposed

GIB = 1 << 30
EIGHT_GPUS = Slice(cpus=128, memory_bytes=1024 * GIB, disk_bytes=8192 * GIB, gpus=8)
NO_GPU = Slice(cpus=16, memory_bytes=64 * GIB, disk_bytes=100 * GIB)

totals = st.builds(
    Slice,
    cpus=st.integers(1, 256),
    memory_bytes=st.integers(1, 4096 * GIB),
    disk_bytes=st.integers(1, 65536 * GIB),
    gpus=st.integers(0, 16),
)


@pytest.mark.parametrize(
    ("asked", "cpus", "memory_gib", "disk_gib", "gpus"),
    [
        (None, 16, 128, 32, 1),
        (Slice(0, 0, 0, gpus=4), 64, 512, 32, 4),
        # Half of the memory is half of the machine.
        (Slice(0, 512 * GIB, 0), 64, 512, 32, 4),
        (Slice(0, 0, 2048 * GIB), 32, 256, 2048, 2),
        (Slice(20, 0, 0, gpus=1), 20, 160, 32, 1),
    ],
)
def test_with_gpus_comes_their_share_of_all_else(
    asked: Slice | None, cpus: int, memory_gib: int, disk_gib: int, gpus: int
) -> None:
    found = proposed(asked, total=EIGHT_GPUS, free=EIGHT_GPUS)
    assert found == Slice(cpus, memory_gib * GIB, disk_gib * GIB, gpus)


def test_with_a_cpu_comes_its_share() -> None:
    assert proposed(None, total=NO_GPU, free=NO_GPU) == Slice(1, 4 * GIB, 6 * GIB)


def test_the_least_that_the_host_rents_out_is_proposed() -> None:
    assert proposed(None, total=EIGHT_GPUS, free=EIGHT_GPUS, gpus_min=2).gpus == 2
    assert proposed(None, total=NO_GPU, free=NO_GPU, cpus_min=4).cpus == 4


def test_what_is_not_free_is_not_proposed() -> None:
    free = Slice(cpus=3, memory_bytes=GIB, disk_bytes=GIB, gpus=0)
    assert proposed(Slice(0, 0, 0, gpus=4), total=EIGHT_GPUS, free=free) == free


@given(
    total=totals,
    gpus=st.integers(0, 16),
    cpus=st.integers(0, 256),
    memory_bytes=st.integers(0, 4096 * GIB),
)
def test_it_costs_no_more_than_the_least_that_is_looked_for(
    total: Slice, gpus: int, cpus: int, memory_bytes: int
) -> None:
    asked = Slice(min(cpus, total.cpus), min(memory_bytes, total.memory_bytes), 0)
    asked = Slice(asked.cpus, asked.memory_bytes, 0, min(gpus, total.gpus))
    found = proposed(asked, total=total, free=total)
    assert not asked.exceeds(found)
    assert not found.exceeds(total)
    least = Slice(
        cpus=asked.cpus or 1,
        memory_bytes=asked.memory_bytes or min(LEAST.memory_bytes, total.memory_bytes),
        disk_bytes=min(LEAST.disk_bytes, total.disk_bytes),
        gpus=asked.gpus or min(1, total.gpus),
    )
    price = price_hour(least, total=total, price_unit_microusd=360_000)
    assert price_hour(found, total=total, price_unit_microusd=360_000) == price
