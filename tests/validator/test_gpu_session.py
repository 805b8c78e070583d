"""The whole proof-of-GPU on the fake driver: the shipped kernels, prover, protocol and checks."""

from dataclasses import replace

import pytest

from tests.validator.gpu_door import TINY, proven, uuid_of
from validator.domain.gpu_proof import REGION_BYTES


@pytest.mark.parametrize(
    "card",
    [
        {"capability": 61},
        {"capability": 75},
        {"capability": 80},
        {"capability": 90, "late_copies": 1},
    ],
    ids=["dp4a", "mma75", "mma80", "mma80-late"],
)
async def test_an_honest_card_of_any_generation_passes(card: dict[str, object]) -> None:
    shown = await proven(**card)
    (measured,) = shown.measurement.gpus
    assert measured.uuid == uuid_of(0)
    assert measured.vram_bytes == 2 << 20
    assert measured.vram_bytes_proven == 4 * REGION_BYTES
    assert shown.gpu_failures == {}
    assert shown.devices[0].name == "NVIDIA Fake GPU"


async def test_all_cards_of_a_machine_are_proven_at_once() -> None:
    shown = await proven(devices=3)
    assert [one.uuid for one in shown.measurement.gpus] == [uuid_of(0), uuid_of(1), uuid_of(2)]


async def test_a_rented_card_is_left_alone() -> None:
    shown = await proven(devices=2, models={uuid_of(1): "NVIDIA Fake GPU"})
    assert [one.uuid for one in shown.measurement.gpus] == [uuid_of(1)]
    assert len(shown.devices) == 2


async def test_a_card_that_fails_is_told_of_and_holds_up_no_other() -> None:
    shown = await proven(devices=2, broken=0)
    assert [one.uuid for one in shown.measurement.gpus] == [uuid_of(1)]
    assert "719" in shown.gpu_failures[uuid_of(0)]


#: rows, columns, depth: one block, wide, high, odd numbers of slabs, more blocks than regions
SHAPES = [(128, 128, 64), (128, 256, 192), (256, 128, 320), (512, 256, 128)]


@pytest.mark.parametrize("capability", [61, 75, 80])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_honest_cards_pass_with_matrices_of_any_shape(
    shape: tuple[int, int, int], capability: int
) -> None:
    rows, columns, depth = shape
    rules = replace(TINY, rows=rows, columns=columns, depth=depth, products_max=2, products_min=2)
    shown = await proven(rules=rules, capability=capability, memory_mb=3, seed=sum(shape))
    assert len(shown.measurement.gpus) == 1


@pytest.mark.parametrize("filled_ppm", [130_000, 300_000, 450_000, 800_000])
async def test_honest_cards_pass_with_any_number_of_regions(filled_ppm: int) -> None:
    """One region, a full tree, and trees whose last leaves are padding."""
    rules = replace(TINY, filled_ppm=filled_ppm, products_max=5, products_min=5)
    shown = await proven(rules=rules, seed=filled_ppm)
    assert shown.measurement.gpus[0].vram_bytes_proven >= REGION_BYTES
