"""This will describe what a rental uses, and what went wrong for it."""

from datetime import datetime

from berth.shapes import Shape


class GpuUse(Shape):
    uuid: str
    busy_percent: int | None = None
    memory_bytes: int | None = None


class UsagePoint(Shape):
    """What a rental held at one moment, and used since the moment before it; None: not known."""

    at: datetime
    #: thousandths of a CPU core
    cpu_milli: int | None
    memory_bytes: int
    disk_used_bytes: int | None
    disk_bytes: int | None
    received_bytes_s: int | None
    sent_bytes_s: int | None
    gpus: tuple[GpuUse, ...] = ()


class Incident(Shape):
    """What went wrong, as the machine tells it; ``blame`` is a hint: renter, machine or unknown."""

    at: datetime
    kind: str
    blame: str
    count: int
    sentence: str


class Usage(Shape):
    #: of the last hour, the oldest first
    points: tuple[UsagePoint, ...]
    #: newest first
    incidents: tuple[Incident, ...]
