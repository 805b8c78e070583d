"""This will be a machine with GPUs whose sources all agree, until a test changes one of them."""

from typing import Any

from protocol.facts import Facts
from protocol.validator import GpuMeasurement, Measurement
from tests.validator import builders
from validator.domain.checks.sources import CudaDevice, Sources

MODEL = "NVIDIA H100 80GB HBM3"
DRIVER = "550.54.15"
VRAM_BYTES = 85_520_809_984
GIB = builders.GIB


def address(number: int) -> str:
    return f"0000:{number:02x}:00.0"


def facts(cards: int = 2, **changes: Any) -> Facts:
    """What a machine with so many H100 tells; ``changes`` replace whole fields."""
    numbers = range(1, cards + 1)
    told = builders.hardware(gpus=tuple(builders.gpu(n, vram_bytes=VRAM_BYTES) for n in numbers))
    nvml = [
        {
            "uuid": f"GPU-{n}",
            "pci": address(n),
            "name": MODEL,
            "vram_bytes": VRAM_BYTES,
            "memory_used_bytes": 4 << 20,
            "clock_mhz": 1980,
        }
        for n in numbers
    ]
    kernel = [{"pci": address(n), "uuid": f"GPU-{n}", "name": MODEL} for n in numbers]
    bus = [
        {"pci": address(n), "device": "2330", "link_width": 16, "link_width_max": 16}
        for n in numbers
    ]
    values: dict[str, Any] = {
        "nvml": {"driver": DRIVER, "cuda": 12040, "cards": nvml},
        "driver": {
            "version": DRIVER,
            "module": DRIVER,
            "cards": kernel,
            "devices": list(range(cards)),
        },
        "pci": bus,
        "loading": {
            "libraries": [
                {
                    "path": "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.550.54.15",
                    "size_bytes": 2_000_000,
                    "sha256": "ab" * 32,
                }
            ]
        },
    }
    return builders.facts(told, **{**values, **changes})


def cuda(cards: int = 2, **changes: Any) -> tuple[CudaDevice, ...]:
    """What CUDA shows of them; ``changes`` are the first one's."""
    values: dict[str, Any] = {
        "name": MODEL,
        "capability": "9.0",
        "sms": 132,
        "bus_bits": 5120,
        "vram_bytes": VRAM_BYTES,
    }
    devices = [
        {"index": n - 1, "uuid": f"GPU-{n}", "pci": address(n), **values}
        for n in range(1, cards + 1)
    ]
    devices[0] |= changes
    return tuple(CudaDevice(**device) for device in devices)


def measured(cards: int = 2, **changes: Any) -> Measurement:
    """What the proof measured of them; ``changes`` are the first one's."""
    values: dict[str, Any] = {
        "name": MODEL,
        "vram_bytes": VRAM_BYTES,
        "vram_bytes_proven": VRAM_BYTES * 93 // 100,
        "bandwidth_mb_s": 2_900_000,
        "int8_gops": 900_000,
        "hash_mega_s": 13_000,
    }
    gpus = [{"index": n - 1, "uuid": f"GPU-{n}", **values} for n in range(1, cards + 1)]
    gpus[0] |= changes
    return Measurement(gpus=tuple(GpuMeasurement(**gpu) for gpu in gpus))


def sources(told: Facts | None = None, **changes: Any) -> Sources:
    """Everything known of that machine after one look."""
    values = {"now_ms": builders.NOW_MS, "cuda": cuda(), "measured": measured(), **changes}
    return Sources(facts=told or facts(), **values)
