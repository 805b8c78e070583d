"""This will be cards on a virtual clock, as published figures and efficiencies describe them.

What share of its peak an honest card reaches is an assumption until real cards have been measured:
see docs/verification.md.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.agent import Problem
from protocol.hardware import Gpu, Hardware
from protocol.validator import GpuMeasurement
from tests.validator import builders
from validator.domain import gpu_judge
from validator.domain.gpu_judge import GpusSeen
from validator.domain.gpu_proof import (
    REGION_BYTES,
    Device,
    GpuPlan,
    GpuTimings,
    measure,
    plan,
)
from validator.domain.gpu_specs import published, reachable_ppm
from validator.domain.gpu_table import GPU_MODELS, GpuModel

GIGA = 10**9
MODEL = "NVIDIA H100 80GB HBM3"
DEVICE = Device(0, "GPU-1", MODEL, "0000:01:00.0", 90, 132, 5120, 50 << 20, 85_520_809_984)
#: bytes a second that fresh lines can be made at, at most, for a card in the table: 33 for a 4090
MADE_BYTES_S = 33 * GIGA
#: shares of the peaks that honest cards reach; the assumption behind the thresholds
BANDWIDTH_REACHED = (0.78, 0.92)
INT8_REACHED = (0.55, 0.75)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a card really does."""

    filled_share: float
    bandwidth_bytes_s: float
    int8_ops_s: float
    rtt_s: float = 0.0
    #: by which pings alone are delayed, to have more subtracted
    pings_held_s: float = 0.0
    #: delay of each answer that is nobody's fault
    jitter_s: float = 0.0
    #: how many proofs run on it at once
    shared_by: int = 1


def known_models() -> Sequence[GpuModel]:
    """Return the models with all figures, which a driver with CUDA can name."""
    return [model for model in GPU_MODELS if published(model) is not None]


def device_of(model: GpuModel) -> Device:
    """Return a card of this model as CUDA shows it."""
    vram_bytes = model.vram_gb * GIGA * 101 // 100
    return Device(0, "GPU-1", model.name, "0000:01:00.0", 80, 1, 1, 1, vram_bytes)


def honest(model: GpuModel, source: random.Random) -> Rates:
    """Return the rates of one honest card in one run."""
    figures = published(model)
    assert figures is not None
    reachable = figures.int8_ops_s * reachable_ppm(model) / 1_000_000
    return Rates(
        filled_share=source.uniform(0.92, 0.94),
        bandwidth_bytes_s=figures.bandwidth_bytes_s * source.uniform(*BANDWIDTH_REACHED),
        int8_ops_s=reachable * source.uniform(*INT8_REACHED),
        rtt_s=source.uniform(0.001, 0.08),
        jitter_s=0.02,
    )


def run(
    device: Device, rates: Rates, source: random.Random, *, model: str
) -> tuple[GpuMeasurement, tuple[Problem, ...]]:
    """Return what one proof measures of such a card, and what its host is told."""
    work = plan([device], models={device.uuid: model}, proven_before=True)
    regions = int(device.vram_bytes * rates.filled_share) // REGION_BYTES
    measured = measure(
        work.tasks[0], _timings(work, rates, regions, source), regions=regions, work=work
    )
    faults, _ = gpu_judge.judge(
        _machine(device, model),
        builders.target(),
        GpusSeen(measured=[measured], shown=[device.uuid]),
        now_ms=0,
        unproven_ms_max=0,
    )
    return measured, faults


def _timings(work: GpuPlan, rates: Rates, regions: int, source: random.Random) -> GpuTimings:
    task, filled_bytes = work.tasks[0], regions * REGION_BYTES
    operations = 2 * work.rows * work.columns * work.depth * task.products

    def taken(seconds: float) -> float:
        return seconds * rates.shared_by + rates.rtt_s + source.uniform(0, rates.jitter_s)

    return GpuTimings(
        fill_s=taken(filled_bytes / MADE_BYTES_S),
        scan_s=taken(filled_bytes * task.passes / rates.bandwidth_bytes_s),
        multiply_s=taken(operations / rates.int8_ops_s),
        scan_after_s=taken(filled_bytes * task.passes_after / rates.bandwidth_bytes_s),
        rtt_s=rates.rtt_s + rates.pings_held_s,
    )


def _machine(device: Device, model: str) -> Hardware:
    unit = Gpu(uuid=device.uuid, model=model, vram_bytes=device.vram_bytes, driver="550")
    return builders.hardware(gpus=(unit,))
