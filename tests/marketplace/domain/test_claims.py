"""What a validator found stands for the same or less, never for more or other."""

from typing import Any

import pytest

from marketplace.domain.claims import covers
from protocol.hardware import Gpu
from tests.marketplace.scene import GIB, hardware

FOUND = hardware(cpus=8, gpus=2)


def test_the_same_and_less_is_covered() -> None:
    assert covers(found=FOUND, claimed=FOUND)
    assert covers(found=FOUND, claimed=FOUND.model_copy(update={"cpus": 4, "gpus": ()}))
    rounded = FOUND.memory_bytes * 102 // 100
    assert covers(found=FOUND, claimed=FOUND.model_copy(update={"memory_bytes": rounded}))


@pytest.mark.parametrize(
    "changed",
    [
        {"cpus": 9},
        {"memory_bytes": FOUND.memory_bytes * 2},
        {"gpus": (*FOUND.gpus, Gpu(uuid="GPU-9", model="H100", vram_bytes=GIB, driver="1"))},
        {"gpus": (FOUND.gpus[0].model_copy(update={"model": "B200"}),)},
        {"gpus": (FOUND.gpus[0].model_copy(update={"vram_bytes": 141 * GIB}),)},
    ],
)
def test_more_or_other_is_not(changed: dict[str, Any]) -> None:
    assert not covers(found=FOUND, claimed=FOUND.model_copy(update=changed))
