"""This will write down what a machine says it has, without losing what placements hold of it."""

from uuid import UUID

from django.db.models import F

from marketplace.domain.claims import enough
from marketplace.machines.models import Gpu, Machine
from protocol.hardware import Hardware


def describe(*, machine_id: UUID, hardware: Hardware) -> None:
    """Write a machine's new totals; what is free moves by as much. Call it in a transaction."""
    totals = {
        "cpus": hardware.cpus,
        "memory_bytes": hardware.memory_bytes,
        "disk_bytes": hardware.disk_bytes,
        "gpus": len(hardware.gpus),
    }
    moved = {
        f"{name}_free": F(f"{name}_free") + total - F(f"{name}_total")
        for name, total in totals.items()
    }
    Machine.objects.filter(id=machine_id).update(
        **moved,
        **{f"{name}_total": total for name, total in totals.items()},
        **named(hardware),
    )
    write_gpus(machine_id=machine_id, hardware=hardware)


def named(hardware: Hardware) -> dict[str, object]:
    """Return the columns of a machine that only describe it."""
    smallest = min(hardware.gpus, key=lambda gpu: gpu.vram_bytes, default=None)
    return {
        "hardware": hardware.model_dump(mode="json"),
        "boot_id": hardware.boot_id,
        "cpu_model": hardware.cpu_model,
        "gpu_model": smallest.model if smallest else "",
        "vram_bytes": smallest.vram_bytes if smallest else 0,
    }


def write_gpus(*, machine_id: UUID, hardware: Hardware) -> None:
    """Make the machine's GPU rows equal to what it says it has."""
    Gpu.objects.filter(machine_id=machine_id).exclude(
        uuid__in=[gpu.uuid for gpu in hardware.gpus]
    ).delete()
    _forget_proofs(machine_id, hardware)
    Gpu.objects.bulk_create(
        [
            Gpu(machine_id=machine_id, uuid=gpu.uuid, model=gpu.model, vram_bytes=gpu.vram_bytes)
            for gpu in hardware.gpus
        ],
        update_conflicts=True,
        unique_fields=["machine", "uuid"],
        update_fields=["model", "vram_bytes"],
    )


def _forget_proofs(machine_id: UUID, hardware: Hardware) -> None:
    """Let no proof hold for another model, or more memory, than was proven.

    Else a card that its own host rents, and that nobody can prove meanwhile, might be renamed.
    """
    told = {gpu.uuid: gpu for gpu in hardware.gpus}
    proven = Gpu.objects.filter(machine_id=machine_id).exclude(proven_at=None).order_by("id")
    other = [
        row.id
        for row in proven
        if row.model != told[row.uuid].model
        or not enough(row.vram_bytes, told[row.uuid].vram_bytes)
    ]
    if other:
        Gpu.objects.filter(id__in=other).update(proven_at=None, proven_by="", together={})
