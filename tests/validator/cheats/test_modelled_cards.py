"""Whole proofs of modelled cards on a virtual clock: honest ones pass, overclaims do not."""

import random
from dataclasses import replace

import pytest

from tests.validator.cheats.simulated import (
    DEVICE,
    MADE_BYTES_S,
    MODEL,
    Rates,
    device_of,
    honest,
    known_models,
    run,
)
from validator.domain.gpu_proof import slowdown

H100 = Rates(filled_share=0.93, bandwidth_bytes_s=2.85e12, int8_ops_s=8e11 * 1000)


def codes(rates: Rates, *, model: str = MODEL) -> set[str]:
    _, faults = run(DEVICE, rates, random.Random(1), model=model)
    return {fault.code for fault in faults}


def test_ten_thousand_honest_runs_refuse_nobody() -> None:
    source, models = random.Random(5), known_models()
    devices = {model.name: device_of(model) for model in models}
    refused = []
    for number in range(10_000):
        model = models[number % len(models)]
        _, faults = run(devices[model.name], honest(model, source), source, model=model.name)
        refused += faults
    assert refused == []


def test_the_measured_rates_are_those_of_the_card() -> None:
    measured, faults = run(DEVICE, H100, random.Random(1), model=MODEL)
    assert faults == ()
    assert measured.bandwidth_mb_s == pytest.approx(2_850_000, rel=0.001)
    assert measured.int8_gops == pytest.approx(800_000, rel=0.001)


def test_one_card_for_two_machines_takes_twice_as_long() -> None:
    assert codes(replace(H100, shared_by=2)) == {"gpu_bandwidth_low", "gpu_slow"}


@pytest.mark.parametrize("missing", [0.08, 0.2, 0.5])
def test_memory_that_is_made_again_in_each_pass_is_too_slow(missing: float) -> None:
    """The rest is read meanwhile, and what makes the lines is faster than our own kernel."""
    factor = slowdown(
        missing, bandwidth_bytes_s=H100.bandwidth_bytes_s, made_bytes_s=1.3 * MADE_BYTES_S
    )
    cheat = replace(H100, bandwidth_bytes_s=H100.bandwidth_bytes_s / factor)
    assert codes(cheat) == {"gpu_bandwidth_low"}


def test_memory_in_the_hosts_own_is_too_slow() -> None:
    factor = slowdown(0.1, bandwidth_bytes_s=H100.bandwidth_bytes_s, made_bytes_s=50e9)
    cheat = replace(H100, bandwidth_bytes_s=H100.bandwidth_bytes_s / factor)
    assert codes(cheat) == {"gpu_bandwidth_low"}


def test_less_memory_than_the_model_has_is_missing() -> None:
    assert codes(replace(H100, filled_share=0.5)) == {"gpu_memory_missing"}


def test_a_late_answer_is_a_slow_card() -> None:
    """Ten seconds of pause in each answer, which no ping shows."""
    _, faults = run(DEVICE, replace(H100, jitter_s=20.0), random.Random(3), model=MODEL)
    assert {fault.code for fault in faults} == {"gpu_bandwidth_low", "gpu_slow"}


@pytest.mark.parametrize("held_s", [0.3, 5.0])
def test_held_pings_win_a_tenth_of_a_second_at_most(held_s: float) -> None:
    weak = replace(H100, bandwidth_bytes_s=0.6 * 3.35e12, int8_ops_s=0.9 * 613e12)
    assert codes(replace(weak, pings_held_s=held_s)) == {"gpu_bandwidth_low", "gpu_slow"}


def test_a_lesser_card_under_a_greater_name_is_found() -> None:
    source = random.Random(2)
    lesser = [model for model in known_models() if model.vram_gb < 80]
    assert len(lesser) > 20
    for model in lesser:
        _, faults = run(device_of(model), honest(model, source), source, model=MODEL)
        assert faults, model.name
