"""This will describe what a machine has and what a workload asks for."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from protocol.message import Message, each_once, shown

#: of one kind of thing in a machine
COUNT_MOST = 4096
Count = Annotated[int, Field(ge=0, le=COUNT_MOST)]
Bytes = Annotated[int, Field(ge=0, le=1 << 50)]
TEXT_MOST = 200
#: what a machine says of itself and people read; one that is too long is refused, not cut
Text = Annotated[str, shown(most=TEXT_MOST + 1), Field(max_length=TEXT_MOST)]
#: units that can be rented of one machine
GPUS_MOST = 64


class CountOf(Message):
    count: Count


class CapacityOf(Message):
    #: bytes
    capacity: Bytes


class Resources(Message):
    """The field's request shape: ``{"cpu": {"count": 1}, "ram": {"capacity": 1073741824}}``."""

    cpu: CountOf
    gpu: CountOf = CountOf(count=0)
    hard_disk: CapacityOf
    ram: CapacityOf

    @classmethod
    def of(cls, *, cpus: int, ram_bytes: int, disk_bytes: int, gpus: int = 0) -> Self:
        """Return the request for so many CPUs, GPUs and bytes."""
        return cls(
            cpu=CountOf(count=cpus),
            gpu=CountOf(count=gpus),
            hard_disk=CapacityOf(capacity=disk_bytes),
            ram=CapacityOf(capacity=ram_bytes),
        )


class Sharing(StrEnum):
    """How far a unit is apart from others of the same card."""

    #: the whole card
    NONE = "none"
    #: a slice with memory, caches and engines of its own
    MIG = "mig"
    #: limits on memory and threads alone: a fault of one unit may end the others' work
    MPS = "mps"


class Gpu(Message):
    """What a placement gets as one GPU: a card, or a part of one."""

    #: "GPU-..." of a card, "MIG-..." of a slice, "GPU-.../0" of a part by MPS
    uuid: Text
    #: NVIDIA's name of it; a part by MPS adds which part it is
    model: Text
    vram_bytes: Bytes
    driver: Text
    sharing: Sharing = Sharing.NONE
    #: uuid of the card that it is a part of; empty: it is a whole card
    card: Text = ""


class Hardware(Message):
    """What the agent says its machine has. A claim, never a proof."""

    hostname: Text
    os: Text
    kernel: Text
    boot_id: Text
    cpu_model: Text
    cpus: Count
    memory_bytes: Bytes
    #: bytes the host sets aside for placements on the disk that holds Docker's data
    disk_bytes: Bytes
    docker_version: Text
    storage_driver: Text
    gpus: Annotated[tuple[Gpu, ...], Field(max_length=GPUS_MOST), each_once("uuid")] = ()
