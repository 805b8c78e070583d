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


class Figure(Shape):
    """What it was on average, and at most in any ten seconds."""

    mean: int
    most: int


class GpuMetrics(Shape):
    busy_percent: Figure | None = None
    memory_bytes: Figure | None = None


class MetricsPoint(Shape):
    """What a rental used from one moment on, for the seconds of a step; None: not known."""

    at: datetime
    #: thousandths of a CPU core
    cpu_milli: Figure | None = None
    memory_bytes: Figure | None = None
    disk_used_bytes: Figure | None = None
    received_bytes_s: Figure | None = None
    sent_bytes_s: Figure | None = None
    gpus: tuple[GpuMetrics, ...] = ()


class Metrics(Shape):
    #: hour, day or month
    span: str
    #: seconds that each point stands for
    step_s: int
    #: the oldest first
    points: tuple[MetricsPoint, ...]
