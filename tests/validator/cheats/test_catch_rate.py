"""How often skipped work is found: what is drawn follows the figures that are published."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.validator.cheats.simulated import DEVICE, MODEL
from validator.domain.gpu_proof import RULES, GpuTask, chance_to_pass, draw, plan, share_to_skip

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "verification.md"
RUNS = 2_000
REGIONS = 300_000
BLOCKS = 16_384


def task() -> GpuTask:
    return plan([DEVICE], models={DEVICE.uuid: MODEL}, proven_before=True).tasks[0]


def within(observed: int, chance: float, runs: int) -> bool:
    """Say whether so many of the runs are within five standard deviations of the chance."""
    spread = math.sqrt(max(chance * (1 - chance) * runs, 1.0))
    return abs(observed - chance * runs) <= 5 * spread


@pytest.mark.parametrize("skipped", [0.01, 0.05, 0.1, 0.3])
def test_skipped_products_are_found_as_often_as_is_published(skipped: float) -> None:
    work, chosen = task(), random.Random(11)
    total = work.products * BLOCKS
    passed = 0
    for _ in range(RUNS):
        opened = draw(work, regions=REGIONS, blocks=BLOCKS, below=chosen.randrange)
        passed += all(leaf >= skipped * total for leaf in opened.products)
    assert within(passed, chance_to_pass(skipped, RULES.checks), RUNS)


@pytest.mark.parametrize("skipped", [0.01, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("checks", [RULES.checks, RULES.first_scan_checks])
def test_memory_that_is_never_read_is_found_as_often_as_is_published(
    skipped: float, checks: int
) -> None:
    work, chosen = replace(task(), scan_checks=checks), random.Random(12)
    passed = 0
    for _ in range(RUNS):
        opened = draw(work, regions=REGIONS, blocks=BLOCKS, below=chosen.randrange)
        passed += all(region >= skipped * REGIONS for _, _, region in opened.scans)
    assert within(passed, chance_to_pass(skipped, checks), RUNS)


@pytest.mark.parametrize("checks", ["24", "64", "240, ten proofs of 24"])
def test_the_table_in_the_documentation_is_what_the_function_gives(checks: str) -> None:
    shares = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
    chances = [chance_to_pass(share, int(checks.split(",")[0])) for share in shares]
    row = " | ".join(f"{100 * chance:.2g} %" for chance in chances)
    assert f"| {checks} | {row} |" in DOCUMENT.read_text()


def test_the_published_figures() -> None:
    assert chance_to_pass(0.1, 24) == pytest.approx(0.0798, abs=1e-4)
    assert chance_to_pass(0.3, 24) == pytest.approx(1.9e-4, rel=0.02)
    assert chance_to_pass(0.08, 64) == pytest.approx(0.0048, abs=1e-4)
    # A card of 56 % of what is asked for must skip the rest to seem fast enough.
    assert share_to_skip(0.56, 0.8) == pytest.approx(0.3)
    assert share_to_skip(2.0, 0.8) == 0.0


def test_every_pass_and_both_scans_are_looked_at() -> None:
    work, chosen = task(), random.Random(13)
    seen = set()
    for _ in range(200):
        opened = draw(work, regions=2, blocks=BLOCKS, below=chosen.randrange)
        seen |= {(slot, number) for slot, number, _ in opened.scans}
        assert max(opened.products) < work.products * BLOCKS
    assert seen == {(0, n) for n in range(work.passes)} | {(1, n) for n in range(work.passes_after)}
