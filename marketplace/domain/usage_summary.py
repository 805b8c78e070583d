"""This will say what a placement used over minutes and hours: on average, and at most.

A summary is kept as JSON: the figures that are known by their names, each as ``[average, most]``,
``gpus`` as a list of such, and ``n``, of how many readings it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from marketplace.domain.usage import HISTORY_S, Point
from protocol.usage import USAGE_EVERY_S

#: of a point, and under these names of a summary
FIGURES = ("cpu_milli", "memory_bytes", "disk_used_bytes", "received_bytes_s", "sent_bytes_s")
OF_GPU = ("busy_percent", "memory_bytes")


class Span(StrEnum):
    """How far back is looked."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    @property
    def length(self) -> timedelta:
        """Return how far that is."""
        return _LENGTHS[self]

    @property
    def step_s(self) -> int:
        """Return the seconds that one point of it stands for."""
        return _STEPS_S[self]


_LENGTHS = {
    Span.HOUR: timedelta(seconds=HISTORY_S),
    Span.DAY: timedelta(days=1),
    Span.MONTH: timedelta(days=30),
}
_STEPS_S = {Span.HOUR: USAGE_EVERY_S, Span.DAY: 300, Span.MONTH: 3600}


@dataclass(frozen=True, slots=True)
class Figure:
    """What it was on average, and at most in any ten seconds."""

    mean: int
    most: int


@dataclass(frozen=True, slots=True)
class GpuSummary:
    #: None: its driver does not tell
    busy_percent: Figure | None
    memory_bytes: Figure | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a placement used from one moment on, for the span's step."""

    at: datetime
    #: thousandths of a CPU core; None: not known
    cpu_milli: Figure | None
    memory_bytes: Figure | None
    disk_used_bytes: Figure | None
    #: bytes in a second
    received_bytes_s: Figure | None
    sent_bytes_s: Figure | None
    gpus: tuple[GpuSummary, ...]


def summed_up(points: Sequence[Point]) -> dict[str, Any]:
    """Return the summary of at least one point, as it is kept."""
    gpus = max(len(point.gpus) for point in points)
    return {
        "n": len(points),
        **_figures(FIGURES, points),
        "gpus": [
            _figures(OF_GPU, [point.gpus[one] for point in points if one < len(point.gpus)])
            for one in range(gpus)
        ],
    }


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the summary of at least one summary, each as it is kept."""
    gpus = max(len(part["gpus"]) for part in parts)
    weighed = [(part["n"], part) for part in parts]
    return {
        "n": sum(part["n"] for part in parts),
        **_joined(FIGURES, weighed),
        "gpus": [
            _joined(
                OF_GPU, [(n, part["gpus"][one]) for n, part in weighed if one < len(part["gpus"])]
            )
            for one in range(gpus)
        ],
    }


def read(at: datetime, kept: Mapping[str, Any]) -> Summary:
    """Return a summary as it was kept."""
    gpus = (
        GpuSummary(**{name: _read(gpu, name) for name in OF_GPU}) for gpu in kept.get("gpus", ())
    )
    return Summary(at=at, gpus=tuple(gpus), **{name: _read(kept, name) for name in FIGURES})


def of_point(point: Point) -> Summary:
    """Return what one reading says, as a summary of it alone."""
    return read(point.at, summed_up([point]))


def begins_of(start: datetime, end: datetime, *, step_s: int) -> Iterable[datetime]:
    """Yield when each whole step between the two begins; ``start`` is where one begins."""
    step = timedelta(seconds=step_s)
    while start + step <= end:
        yield start
        start += step


def begin_of(at: datetime, *, step_s: int) -> datetime:
    """Return when the step began in which this moment lies."""
    return at - timedelta(seconds=at.timestamp() % step_s)


def _figures(names: Sequence[str], points: Sequence[object]) -> dict[str, list[int]]:
    told = {name: [getattr(point, name) for point in points] for name in names}
    known = {name: [one for one in each if one is not None] for name, each in told.items()}
    return {name: [sum(each) // len(each), max(each)] for name, each in known.items() if each}


def _joined(
    names: Sequence[str], parts: Sequence[tuple[int, Mapping[str, Any]]]
) -> dict[str, list[int]]:
    found = {}
    for name in names:
        known = [(n, part[name]) for n, part in parts if name in part]
        if known:
            mean = sum(n * figure[0] for n, figure in known) // sum(n for n, _ in known)
            found[name] = [mean, max(figure[1] for _, figure in known)]
    return found


def _read(kept: Mapping[str, Any], name: str) -> Figure | None:
    return Figure(*kept[name]) if name in kept else None
