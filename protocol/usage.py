"""This will define what a machine says of its load and of what went wrong on it."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from protocol.hardware import Text
from protocol.message import Counter, Message, Milliseconds, shown

#: what a counter of bytes reaches in years on the fastest line; a signed 64-bit column holds it
TotalBytes = Annotated[int, Field(ge=0, le=1 << 62)]
Percent = Annotated[int, Field(ge=0, le=100)]
#: seconds between two readings
USAGE_EVERY_S = 10
INCIDENTS_MOST = 200


class GpuUsage(Message):
    """What a placement uses of one GPU. None: this card or its driver does not tell."""

    uuid: Text
    #: share of the time in which it computed
    busy_percent: Percent | None = None
    memory_bytes: TotalBytes | None = None


class PlacementUsage(Message):
    """What a placement has used since its run started, and what it holds now."""

    placement_id: UUID
    #: its counters begin anew with each run
    run: Counter
    #: CPU time: two cores that are busy for a second make 2,000
    cpu_ms: Milliseconds
    #: without the file cache that the kernel would give back
    memory_bytes: TotalBytes
    #: of its root disk; None: it has no limit of its own
    disk_used_bytes: TotalBytes | None = None
    disk_bytes: TotalBytes | None = None
    #: as the placement sees it; None: it has no network
    received_bytes: TotalBytes | None = None
    sent_bytes: TotalBytes | None = None
    gpus: Annotated[tuple[GpuUsage, ...], Field(max_length=64)] = ()


class CardUsage(Message):
    """How one GPU of the machine is doing. None: this card or its driver does not tell."""

    uuid: Text
    busy_percent: Percent | None = None
    memory_used_bytes: TotalBytes | None = None
    memory_bytes: TotalBytes | None = None
    temperature_c: Annotated[int, Field(ge=-273, le=1000)] | None = None
    power_mw: Annotated[int, Field(ge=0, le=10_000_000)] | None = None


class MachineUsage(Message):
    """How the whole machine is doing."""

    #: the load of the last minute, in thousandths
    load_milli: Annotated[int, Field(ge=0, le=1 << 40)]
    memory_used_bytes: TotalBytes
    memory_bytes: TotalBytes
    #: of the disk that placements are kept on
    disk_used_bytes: TotalBytes
    disk_bytes: TotalBytes
    cards: Annotated[tuple[CardUsage, ...], Field(max_length=64)] = ()


class Usage(Message):
    """One reading of everything; only the newest is worth sending."""

    machine: MachineUsage
    placements: Annotated[tuple[PlacementUsage, ...], Field(max_length=1000)] = ()


class IncidentKind(StrEnum):
    #: a GPU reported an Xid
    GPU_ERROR = "gpu_error"
    #: a GPU's memory lost bits that could not be corrected
    GPU_MEMORY = "gpu_memory"
    #: a GPU runs slower because it is too hot
    GPU_HOT = "gpu_hot"
    #: the kernel ended a process because there was no memory left
    OUT_OF_MEMORY = "out_of_memory"
    #: a disk or its file system failed to read or write
    DISK_ERROR = "disk_error"


class IncidentBlame(StrEnum):
    """A hint, not a judgement: whose doing it most likely was."""

    RENTER = "renter"
    MACHINE = "machine"
    UNKNOWN = "unknown"


class Incident(Message):
    """Something that went wrong on a machine, told until the marketplace has it."""

    #: the same each time that it is told
    incident_id: UUID
    #: by the machine's own clock
    at_ms: Milliseconds
    kind: IncidentKind
    blame: IncidentBlame
    #: whom it happened to; None: the machine itself, or nobody knows
    placement_id: UUID | None = None
    gpu_uuid: Text = ""
    #: how often it happened in that moment
    count: Annotated[int, Field(ge=1, le=(1 << 31) - 1)] = 1
    #: one plain sentence
    sentence: Annotated[str, shown(most=301), Field(max_length=300)]
