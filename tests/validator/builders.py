"""This will build the values that the validator's tests start from."""

from uuid import UUID

from protocol.hardware import Gpu, Hardware
from protocol.validator import EpochRecord, MachineRecord, Target

GIB = 1024**3
NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
EPOCH_MS = 4_320_000
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"


def gpu(number: int = 1, *, model: str = "NVIDIA H100 80GB HBM3", **changes: object) -> Gpu:
    values = {
        "uuid": f"GPU-{number}",
        "model": model,
        "vram_bytes": 80 * GIB,
        "driver": "550.54.15",
    }
    return Gpu.model_validate({**values, **changes})


def hardware(**changes: object) -> Hardware:
    values: dict[str, object] = {
        "hostname": "box",
        "os": "Debian 12",
        "kernel": "6.1",
        "boot_id": "b1",
        "cpu_model": "EPYC",
        "cpus": 4,
        "memory_bytes": 8 * GIB,
        "disk_bytes": 100 * GIB,
        "docker_version": "26.1",
        "storage_driver": "overlay2",
        "gpus": (),
    }
    return Hardware.model_validate({**values, **changes})


def target(number: int = 1, *, machine_key: str = "ab" * 32, **changes: object) -> Target:
    values: dict[str, object] = {
        "machine_id": UUID(int=number),
        "machine_key": machine_key,
        "address": "127.0.0.1",
        "control_port": 2222,
        "claimed": hardware(),
        "cpus_free": 1,
        "memory_bytes_free": 4 * 1024 * 1024,
    }
    return Target.model_validate({**values, **changes})


def record(number: int = 1, **changes: object) -> MachineRecord:
    values: dict[str, object] = {
        "machine_id": UUID(int=number),
        "miner_hotkey": ALICE,
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "gpus": 8,
        "efficiency_ppm": 1_000_000,
        "uptime_ppm": 1_000_000,
        "verified_for_ms": 30 * DAY_MS,
        "has_valid_verdict": True,
        "paid_ms": 0,
        "epoch_ms": 8 * EPOCH_MS,
        "fees_microusd": 0,
    }
    return MachineRecord.model_validate({**values, **changes})


def cpu_record(number: int = 1, **changes: object) -> MachineRecord:
    return record(number, **{"gpu_model": "", "gpus": 0, "epoch_ms": EPOCH_MS, **changes})


def epoch(*machines: MachineRecord) -> EpochRecord:
    return EpochRecord(
        epoch=7, starts_at_ms=NOW_MS, ends_at_ms=NOW_MS + EPOCH_MS, machines=machines
    )
