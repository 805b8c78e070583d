"""This will prepare what a rental uses for its page, as numbers in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketplace.domain.usage import Point
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment
from marketplace.placements.models import Placement
from marketplace.telemetry.models import Incident
from protocol.usage import GpuUsage, IncidentBlame

BLAMES = {
    IncidentBlame.RENTER: "Most likely what runs in the rental",
    IncidentBlame.MACHINE: "Most likely the machine",
    IncidentBlame.UNKNOWN: "Nobody can tell why",
}


@dataclass(frozen=True, slots=True)
class Number:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class IncidentLine:
    moment: Moment
    sentence: str
    blame: str
    #: empty: once
    times: str
    #: short name of the machine that it happened on
    machine: str


@dataclass(frozen=True, slots=True)
class UsagePanel:
    #: of the newest reading; empty: there is none yet
    numbers: tuple[Number, ...]
    taken: Moment
    incidents: tuple[IncidentLine, ...]


def panel(
    placement: Placement, points: Sequence[Point], incidents: Iterable[Incident]
) -> UsagePanel:
    """Return the newest numbers of a placement and what went wrong for it."""
    newest = points[-1] if points else None
    return UsagePanel(
        numbers=() if newest is None else _numbers(placement, newest),
        taken=Moment.of(None if newest is None else newest.at),
        incidents=tuple(incident_line(one) for one in incidents),
    )


def incident_line(incident: Incident) -> IncidentLine:
    """Return one incident in words."""
    return IncidentLine(
        moment=Moment.of(incident.at),
        sentence=incident.sentence,
        blame=BLAMES[IncidentBlame(incident.blame)],
        times="" if incident.count == 1 else wording.count(incident.count, "time"),
        machine=str(incident.machine_id)[:8],
    )


def _numbers(placement: Placement, point: Point) -> tuple[Number, ...]:
    memory = f"{wording.size(point.memory_bytes)} of {wording.size(placement.memory_bytes)}"
    numbers = [Number("CPU", _cpu(point.cpu_milli, placement.cpus)), Number("Memory", memory)]
    if point.disk_used_bytes is not None and point.disk_bytes is not None:
        disk = f"{wording.size(point.disk_used_bytes)} of {wording.size(point.disk_bytes)}"
        numbers.append(Number("Disk", disk))
    if point.received_bytes_s is not None and point.sent_bytes_s is not None:
        both = f"{pace(point.received_bytes_s)} in, {pace(point.sent_bytes_s)} out"
        numbers.append(Number("Network", both))
    numbers += [Number(f"GPU {number}", _gpu(gpu)) for number, gpu in enumerate(point.gpus, 1)]
    return tuple(numbers)


def _cpu(cpu_milli: int | None, cpus: int) -> str:
    cores = wording.count(cpus, "core")
    return f"– of {cores}" if cpu_milli is None else f"{cpu_milli / 1000:.2f} of {cores}"


def pace(bytes_s: int) -> str:
    """Return ``1.5 MB/s``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if bytes_s >= size:
            return f"{bytes_s / size:.1f} {unit}/s"
    return f"{bytes_s} B/s"


def _gpu(gpu: GpuUsage) -> str:
    busy = "–" if gpu.busy_percent is None else f"{gpu.busy_percent} % busy"
    return busy if gpu.memory_bytes is None else f"{busy}, {wording.size(gpu.memory_bytes)} used"
