"""This will build the values that the validator's tests start from."""

from uuid import UUID

from protocol.facts import Facts
from protocol.hardware import Gpu, Hardware
from protocol.validator import (
    CardFigures,
    EpochRecord,
    GpuProof,
    MachineRecord,
    MeasuredLook,
    ProvenTogether,
    Target,
    Work,
)
from protocol.workload import PlacementKind
from validator.domain.gpu_specs import Figures

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


def facts(told: Hardware | None = None, **changes: object) -> Facts:
    """What an honest machine without GPU tells of itself beside this hardware."""
    told = told or hardware()
    values: dict[str, object] = {
        "hardware": told,
        "processors": {
            "listed": told.cpus,
            "usable": told.cpus,
            "memory_bytes": told.memory_bytes,
        },
        "surroundings": {"vendor": "Supermicro", "clock_ms": NOW_MS},
    }
    return Facts.model_validate({**values, **changes})


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
        "machine_key": "ab" * 32,
        "miner_hotkey": ALICE,
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "gpus": 8,
        "uptime_ppm": 1_000_000,
        "verified_for_ms": 30 * DAY_MS,
        "has_valid_verdict": True,
        "paid_ms": 0,
        "epoch_ms": 8 * EPOCH_MS,
        "fees_microusd": 0,
    }
    values |= changes
    values.setdefault("gpu_proofs", gpu_proofs(int(str(values["gpus"]))))
    found = MachineRecord.model_validate(values)
    if "together" in values:
        return found
    return found.model_copy(update={"together": together(*(one.uuid for one in found.gpu_proofs))})


def together(
    *uuids: str, at_ms: int = NOW_MS, sha256: str = "ab" * 32
) -> tuple[ProvenTogether, ...]:
    """Return what shows that these GPUs were proven at once; nothing if they are fewer than two."""
    if len(uuids) < 2:
        return ()
    return (ProvenTogether(verdict_sha256=sha256, checked_at_ms=at_ms, uuids=uuids),)


def gpu_proofs(count: int, *, at_ms: int = NOW_MS) -> tuple[GpuProof, ...]:
    """Return what shows that so many GPUs were proven at this moment."""
    return tuple(
        GpuProof(uuid=f"GPU-{number}", verdict_sha256="ab" * 32, checked_at_ms=at_ms)
        for number in range(count)
    )


def look(
    hash_rate_per_cpu: int = 0, *, of: Figures | None = None, ppm: int = 1_000_000
) -> MeasuredLook:
    """Return a measurement; ``of``: of a card that reaches so many millionths of these figures."""
    card = None if of is None else _card(of.share(ppm))
    return MeasuredLook(
        verdict_sha256="ab" * 32,
        checked_at_ms=NOW_MS,
        hash_rate_per_cpu=hash_rate_per_cpu,
        card=card,
    )


def _card(figures: Figures) -> CardFigures:
    return CardFigures(
        vram_bytes=figures.vram_bytes,
        bandwidth_mb_s=figures.bandwidth_bytes_s // 1_000_000,
        int8_gops=figures.int8_ops_s // 1_000_000_000,
    )


def work(number: int = 1, **changes: object) -> Work:
    values: dict[str, object] = {
        "placement_id": UUID(int=number),
        "kind": PlacementKind.JOB,
        "gpus": 0,
        "worked_ms": 0,
        "fees_microusd": 0,
        "sequence": 0,
        "interval_sha256": "cd" * 32,
    }
    return Work.model_validate({**values, **changes})


def cpu_record(number: int = 1, **changes: object) -> MachineRecord:
    return record(number, **{"gpu_model": "", "gpus": 0, "epoch_ms": EPOCH_MS, **changes})


def epoch(*machines: MachineRecord) -> EpochRecord:
    return EpochRecord(
        epoch=7,
        starts_at_ms=NOW_MS,
        ends_at_ms=NOW_MS + EPOCH_MS,
        as_of_ms=NOW_MS + EPOCH_MS,
        machines=machines,
    )
