"""What a GPU is worth and must reach: no name, lie or cut ever pays."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.architecture.sources import TREE
from tests.validator.builders import EPOCH_MS, epoch, record
from validator.domain.gpu_specs import (
    CPU_CLASS_BASE_HUNDREDTHS,
    GB,
    MAX_BASE_HUNDREDTHS,
    PPM,
    RULES,
    Figures,
    base_hundredths,
    find,
    published,
    required,
)
from validator.domain.gpu_table import GPU_MODELS, GpuModel
from validator.domain.scoring import score

TERA = 10**12
#: NVML tells of GiB where the name says GB
GIB_PER_GB_PPM = 1_073_742
FIGURES = {
    model.name: figures
    for model in GPU_MODELS
    if (figures := published(model)) is not None
}  # fmt: skip
#: what NI pays more for than for a model that surpasses it
LOWERED = {"NVIDIA L40": 83, "NVIDIA RTX A5000": 22, "NVIDIA L4": 20}

figures = st.builds(
    Figures,
    vram_bytes=st.integers(0, 300 * GB),
    bandwidth_bytes_s=st.integers(0, 10_000 * GB),
    int8_ops_s=st.integers(0, 6_000 * TERA),
)
each_name = pytest.mark.parametrize("name", sorted(FIGURES))


@pytest.mark.parametrize(
    ("name", "hundredths"),
    [
        ("NVIDIA B200", 500),
        ("NVIDIA H200", 400),
        ("NVIDIA H100 80GB HBM3", 330),
        ("NVIDIA H100 PCIe", 280),
        ("H100", 280),
        ("nvidia  a100-sxm4-80gb", 190),
        ("NVIDIA GeForce RTX 4090", 68),
        ("RTX 4090", 68),
        ("NVIDIA  RTX A4500", 17),
        ("Tesla T4", 1),
        ("NVIDIA Tesla T4", 1),
    ],
)
def test_a_model_is_found_by_the_name_that_the_driver_writes(name: str, hundredths: int) -> None:
    assert base_hundredths(name) == hundredths


@pytest.mark.parametrize(
    "name",
    [
        "",
        "RTX 9090",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "NVIDIA H100 80GB HBM3 1/4 shared",
        "NVIDIA H100 80GB HBM3.",
        "NVIDIA H100\u200b",
    ],
)
def test_an_unknown_model_or_a_slice_is_worth_nothing_until_measured(name: str) -> None:
    assert find(name) is None
    assert base_hundredths(name) == 0
    assert base_hundredths(name, FIGURES["NVIDIA B200"]) == 330


def test_a_known_model_with_an_unknown_figure_is_measured_too() -> None:
    assert base_hundredths("NVIDIA B300 SXM6 AC") == CPU_CLASS_BASE_HUNDREDTHS
    assert base_hundredths("NVIDIA B300 SXM6 AC", FIGURES["NVIDIA H100 PCIe"]) == 90


def test_scores_are_ni_computes_but_for_those_that_a_lesser_score_surpasses() -> None:
    scored = [model for model in GPU_MODELS if model.ni_hundredths is not None]
    assert len(scored) == 18
    for model in scored:
        expected = LOWERED.get(model.name, model.ni_hundredths)
        assert base_hundredths(model.name) == expected, model.name
    words = (TREE / "docs" / "gpu-models.md").read_text()
    assert all(f"{hundredths / 100:.2f}" in words for hundredths in LOWERED.values())


def test_eight_of_the_best_sold_out_are_fifty_points() -> None:
    best = max(GPU_MODELS, key=lambda model: base_hundredths(model.name))
    assert base_hundredths(best.name) == MAX_BASE_HUNDREDTHS
    sold = record(gpu_model=best.name, paid_ms=8 * EPOCH_MS, fees_microusd=10**9)
    (whole,) = score(epoch(sold))
    assert whole.points_micro == 50_000_000


def test_a_card_that_surpasses_another_is_worth_no_less() -> None:
    for (name, mine), (other, theirs) in product(FIGURES.items(), repeat=2):
        if mine.reaches(theirs):
            assert base_hundredths(name) >= base_hundredths(other), (name, other)


@pytest.mark.parametrize("model", GPU_MODELS, ids=lambda model: model.name)
def test_no_known_gpu_is_worth_less_than_none(model: GpuModel) -> None:
    assert base_hundredths(model.name) >= CPU_CLASS_BASE_HUNDREDTHS


@given(figures, st.integers(0, 100 * GB), st.integers(0, 4_000 * GB), st.integers(0, 2_000 * TERA))
def test_more_of_a_figure_never_counts_for_less(
    less: Figures, vram: int, bandwidth: int, int8: int
) -> None:
    more = Figures(
        vram_bytes=less.vram_bytes + vram,
        bandwidth_bytes_s=less.bandwidth_bytes_s + bandwidth,
        int8_ops_s=less.int8_ops_s + int8,
    )
    assert base_hundredths("unknown", more) >= base_hundredths("unknown", less)


@each_name
def test_hiding_a_name_never_pays(name: str) -> None:
    """Even of a card that measures 1.42 times what is published; less never counts for more."""
    measured = FIGURES[name].share(1_420_000)
    assert base_hundredths("unknown", measured) <= base_hundredths(name)


@each_name
def test_no_cutting_up_of_a_card_among_nameless_ones_pays(name: str) -> None:
    """Of all divisions, whatever part has which share of which figure.

    A part is worth what a scored model is that it can pass for, so it is enough to try which of
    these fit into the card together.
    """
    own = FIGURES[name]
    card = Figures(
        vram_bytes=own.vram_bytes * GIB_PER_GB_PPM // PPM,
        bandwidth_bytes_s=own.bandwidth_bytes_s,
        int8_ops_s=own.int8_ops_s,
    ).share(RULES.unknown_ppm)
    assert _best_division(card) <= base_hundredths(name)


def _best_division(left: Figures, start: int = 0) -> int:
    scored = [model for model in GPU_MODELS if model.ni_hundredths is not None]
    best = 0
    for index, model in enumerate(scored[start:], start):
        part = FIGURES[model.name]
        if left.reaches(part):
            rest = Figures(
                vram_bytes=left.vram_bytes - part.vram_bytes,
                bandwidth_bytes_s=left.bandwidth_bytes_s - part.bandwidth_bytes_s,
                int8_ops_s=left.int8_ops_s - part.int8_ops_s,
            )
            best = max(best, base_hundredths(model.name) + _best_division(rest, index))
    return best


@pytest.mark.parametrize(
    ("name", "int8_tops", "bandwidth_gb_s"),
    [
        ("NVIDIA H100 80GB HBM3", 613, 2345),
        ("NVIDIA H100 PCIe", 469, 1400),
        ("NVIDIA B200", 1125, 5600),
        ("NVIDIA GeForce RTX 4090", 330, 705),
        ("NVIDIA A10", 125, 420),
        ("NVIDIA GeForce RTX 4080 SUPER", 167, 515),
    ],
)
def test_a_rate_must_reach_what_the_survey_says(
    name: str, int8_tops: int, bandwidth_gb_s: int
) -> None:
    needed = required(name, vram_bytes=0)
    assert needed.int8_ops_s // TERA == int8_tops
    assert needed.bandwidth_bytes_s // GB == bandwidth_gb_s


@pytest.mark.parametrize(
    ("name", "mib_told"),
    [
        ("NVIDIA H200", 143_771),
        ("NVIDIA B300 SXM6 AC", 275_040),
        ("NVIDIA B200", 183_359),
        ("NVIDIA L40S", 46_068),
        ("NVIDIA L4", 23_034),
        ("Tesla T4", 15_109),
        ("NVIDIA GeForce RTX 4090", 24_564),
    ],
)
def test_what_honest_cards_tell_of_their_memory_is_enough(name: str, mib_told: int) -> None:
    told = mib_told * 1024 * 1024
    needed = required(name, vram_bytes=told)
    assert needed.vram_bytes < told
    assert needed.filled_bytes == told * 9 // 10


def test_less_memory_than_the_names_is_too_little_and_more_must_be_filled() -> None:
    assert required("NVIDIA H100 PCIe", vram_bytes=48 * GB).vram_bytes == 77_600_000_000
    assert required("NVIDIA H100 PCIe", vram_bytes=200 * GB).filled_bytes == 180 * GB


@pytest.mark.parametrize("vram_gb", [1, 96])
def test_an_unknown_model_must_fill_what_it_tells_of_and_be_no_slower_than_any(
    vram_gb: int,
) -> None:
    needed = required("RTX 9090", vram_bytes=vram_gb * GB)
    assert needed.vram_bytes == vram_gb * GB * 97 // 100
    assert needed.filled_bytes == vram_gb * GB * 9 // 10
    for model in GPU_MODELS:
        known = required(model.name, vram_bytes=0)
        assert needed.bandwidth_bytes_s <= known.bandwidth_bytes_s
        assert needed.int8_ops_s <= known.int8_ops_s


@each_name
def test_nothing_is_asked_that_is_not_published(name: str) -> None:
    needed = required(name, vram_bytes=0)
    own = FIGURES[name]
    assert needed.filled_bytes < needed.vram_bytes < own.vram_bytes
    assert needed.bandwidth_bytes_s < own.bandwidth_bytes_s
    assert needed.int8_ops_s < own.int8_ops_s
