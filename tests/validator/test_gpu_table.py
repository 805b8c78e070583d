"""The table of GPU models agrees with itself, with its chips, and with the page that shows it."""

import re
from dataclasses import replace

import pytest

from scripts import gpu_models
from tests.architecture.sources import TREE
from validator.domain import gpu_specs
from validator.domain.gpu_table import ALIASES, GPU_MODELS, GpuModel, Source

#: int8 operations of one multiprocessor per clock, dense; compute capability 7.0 by dp4a
PER_CLOCK = {
    "7.0": 512, "7.5": 2048, "8.0": 4096, "8.6": 2048, "8.9": 2048, "9.0": 8192, "10.0": 16384,
    "10.3": 16384, "12.0": 2048,
}  # fmt: skip
#: sold with less than the chip has, or with a clock of their own
NOT_THE_CHIPS = {"NVIDIA L40", "NVIDIA H20", "NVIDIA B200"}
GEFORCE_PART, OTHERS_PART = 0.25, 0.5

each_model = pytest.mark.parametrize("model", GPU_MODELS, ids=lambda model: model.name)


def off(value: float, expected: float) -> float:
    """Return by which share a value is off."""
    return abs(value / expected - 1)


def test_the_table_has_models_enough_and_none_twice() -> None:
    names = [gpu_specs.normalised(model.name) for model in GPU_MODELS]
    assert len(names) >= 45
    assert len(set(names)) == len(names)


def test_an_alias_means_a_row_and_hides_none() -> None:
    names = {gpu_specs.normalised(model.name) for model in GPU_MODELS}
    assert {gpu_specs.normalised(name) for name in ALIASES.values()} <= names
    assert not names & ALIASES.keys()
    assert all(alias == gpu_specs.normalised(alias) for alias in ALIASES)


def chip_gops(model: GpuModel) -> float:
    """Return the dense int8 peak that follows from multiprocessors and clock."""
    per_clock = PER_CLOCK[model.compute_capability]
    return (model.sms or 0) * (model.boost_mhz or 0) * per_clock / 1000


@each_model
def test_bandwidth_is_the_bus_times_its_rate(model: GpuModel) -> None:
    """Within 2 %: some makers round down to whole terabytes."""
    if model.bus_bits and model.pin_rate:
        assert off(model.bus_bits * model.pin_rate / 8000, model.bandwidth_gb_s) < 0.02
    else:
        assert model.name.startswith(("NVIDIA H2", "NVIDIA GH", "NVIDIA B", "NVIDIA RTX PRO 6000"))


@each_model
def test_int8_is_what_the_chip_can_do(model: GpuModel) -> None:
    """Also shows that peaks are dense: sparse ones would be twice as high."""
    if model.int8_gops is None:
        return
    chip = chip_gops(model)
    if model.name in NOT_THE_CHIPS:
        assert model.int8_gops < chip * 0.97
    else:
        assert off(model.int8_gops, chip) < 0.03


@each_model
def test_fp16_is_a_plain_part_of_int8(model: GpuModel) -> None:
    if model.int8_gops is None or model.fp16_gflops is None or model.compute_capability == "7.0":
        return
    part = GEFORCE_PART if "GeForce" in model.name else OTHERS_PART
    assert off(model.fp16_gflops, model.int8_gops * part) < 0.07


@each_model
def test_memory_is_what_the_name_says(model: GpuModel) -> None:
    """Of GH200 the name tells the other processor's memory."""
    told = re.search(r"(\d+)GB", model.name)
    if told is not None and "GH200" not in model.name:
        assert model.vram_gb == int(told[1])
    assert 6 <= model.vram_gb <= 288


def test_a_multiplied_out_peak_decides_no_score() -> None:
    """What such a row is worth follows from scored ones, whose peaks are published."""
    scored = [model for model in GPU_MODELS if model.ni_hundredths is not None]
    assert all(model.source is not Source.CHIP for model in scored)
    assert all(model.int8_gops is not None for model in scored)


def test_a_sparse_peak_would_be_seen() -> None:
    (card,) = (model for model in GPU_MODELS if model.name == "NVIDIA GeForce RTX 4090")
    sparse = replace(card, int8_gops=1_321_000)
    with pytest.raises(AssertionError):
        test_int8_is_what_the_chip_can_do(sparse)


def test_the_page_shows_the_table_as_it_is() -> None:
    """Else run ``python -m scripts.gpu_models``."""
    text = (TREE / "docs" / "gpu-models.md").read_text()
    assert text == gpu_models.page(text)
    assert text.count("\n| NVIDIA ") + text.count("\n| Tesla ") == len(GPU_MODELS)
