"""This will shape how readings and incidents look over the REST API."""

from datetime import datetime
from typing import Self
from uuid import UUID

from ninja import Schema

from marketplace.domain import usage
from marketplace.domain.usage_summary import Span
from marketplace.telemetry import models
from protocol.usage import GpuUsage, IncidentBlame, IncidentKind, MachineUsage


class UsagePoint(Schema):
    """What it held at one moment, and used since the moment before it; null: not known."""

    at: datetime
    #: thousandths of a CPU core
    cpu_milli: int | None
    memory_bytes: int
    disk_used_bytes: int | None
    disk_bytes: int | None
    received_bytes_s: int | None
    sent_bytes_s: int | None
    gpus: list[GpuUsage]

    @classmethod
    def of(cls, point: usage.Point) -> Self:
        """Return the reply for one point."""
        return cls(
            at=point.at,
            cpu_milli=point.cpu_milli,
            memory_bytes=point.memory_bytes,
            disk_used_bytes=point.disk_used_bytes,
            disk_bytes=point.disk_bytes,
            received_bytes_s=point.received_bytes_s,
            sent_bytes_s=point.sent_bytes_s,
            gpus=list(point.gpus),
        )


class FigureReply(Schema):
    """What it was on average, and at most in any ten seconds."""

    mean: int
    most: int


class GpuMetrics(Schema):
    #: null: its driver does not tell
    busy_percent: FigureReply | None
    memory_bytes: FigureReply | None


class MetricsPoint(Schema):
    """What it used from one moment on, for the seconds of a step; null: not known."""

    at: datetime
    #: thousandths of a CPU core
    cpu_milli: FigureReply | None
    memory_bytes: FigureReply | None
    disk_used_bytes: FigureReply | None
    received_bytes_s: FigureReply | None
    sent_bytes_s: FigureReply | None
    gpus: list[GpuMetrics]


class MetricsReply(Schema):
    span: Span
    #: seconds that each point stands for
    step_s: int
    #: the oldest first; a step is there once it is over
    points: list[MetricsPoint]


class IncidentReply(Schema):
    """What went wrong, as the machine tells it; ``blame`` is a hint, never a judgement."""

    at: datetime
    kind: IncidentKind
    blame: IncidentBlame
    #: null: the machine itself, or nobody knows
    placement_id: UUID | None
    gpu_uuid: str
    count: int
    sentence: str

    @classmethod
    def of(cls, incident: models.Incident) -> Self:
        """Return the reply for one incident."""
        return cls(
            at=incident.at,
            kind=IncidentKind(incident.kind),
            blame=IncidentBlame(incident.blame),
            placement_id=incident.placement_id,
            gpu_uuid=incident.gpu_uuid,
            count=incident.count,
            sentence=incident.sentence,
        )


class PlacementUsageReply(Schema):
    #: of the last hour, the oldest first; empty: the machine has told nothing
    points: list[UsagePoint]
    #: newest first
    incidents: list[IncidentReply]


class MachineUsageReply(Schema):
    #: null: the machine has told nothing in the last minute
    now: MachineUsage | None
    #: newest first
    incidents: list[IncidentReply]
