"""The agent offers what the driver shows, cut as the host has cut it."""

from pathlib import Path

import pytest

from protocol.hardware import Gpu, Sharing
from tests.miner_agent.gpu import driver

#: compute modes: 0 lets everybody in, 3 one process
OPEN, EXCLUSIVE = 0, 3


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver.build(tmp_path_factory.mktemp("driver"))


def card(number: int, *, mode: int = OPEN, mig: str = "off") -> str:
    return f"card GPU-{number} NVIDIA_H100 81920 {mode} {mig}\n"


def whole(number: int) -> Gpu:
    return Gpu(uuid=f"GPU-{number}", model="NVIDIA H100", vram_bytes=80 << 30, driver="000.00.FAKE")


def test_a_machine_without_a_driver_has_no_gpus(library: Path) -> None:
    assert driver.read(None, None) == ()
    assert driver.read(library, None) == ()


def test_cards_are_offered_whole(library: Path) -> None:
    assert driver.read(library, card(0) + card(1, mig="none")) == (whole(0), whole(1))


def test_a_card_that_fell_off_its_bus_takes_no_other_with_it(library: Path) -> None:
    assert driver.read(library, f"{card(0)}lost\n{card(2)}") == (whole(0), whole(2))


def test_a_card_cut_by_mig_is_offered_in_slices_and_never_whole(library: Path) -> None:
    slices = (
        "slice MIG-a NVIDIA_H100_MIG_3g.40gb 40448\nslice - - 0\n"
        "slice MIG-b NVIDIA_H100_MIG_1g.10gb 9856\n"
    )
    found = driver.read(library, card(0, mig="on") + slices + card(1), slots=4)
    assert [
        (one.uuid, one.model, one.vram_bytes >> 20, one.sharing, one.card) for one in found
    ] == [
        ("MIG-a", "NVIDIA H100 MIG 3g.40gb", 40448, Sharing.MIG, "GPU-0"),
        ("MIG-b", "NVIDIA H100 MIG 1g.10gb", 9856, Sharing.MIG, "GPU-0"),
        ("GPU-1", "NVIDIA H100", 81920, Sharing.NONE, ""),
    ]


def test_a_card_with_mig_on_and_nothing_cut_offers_nothing(library: Path) -> None:
    assert driver.read(library, card(0, mig="on")) == ()


def test_a_card_is_shared_only_where_the_host_wants_it_and_nobody_can_pass_by(
    library: Path,
) -> None:
    exclusive = card(0, mode=EXCLUSIVE)
    assert driver.read(library, exclusive, slots=1) == (whole(0),)
    assert driver.read(library, card(0), slots=4) == (whole(0),)
    shared = driver.read(library, exclusive, slots=4)
    assert [one.uuid for one in shared] == ["GPU-0/0", "GPU-0/1", "GPU-0/2", "GPU-0/3"]
    assert {(one.sharing, one.card, one.vram_bytes >> 30) for one in shared} == {
        (Sharing.MPS, "GPU-0", 20)
    }
    assert shared[0].model == "NVIDIA H100 1/4 shared"
