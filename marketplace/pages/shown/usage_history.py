"""This will prepare what a rental used in the last hour, as columns to draw and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.domain.money import MICROUSD_PER_USD
from marketplace.domain.usage import Point
from marketplace.pages import wording
from marketplace.pages.shown.rental import Moment
from marketplace.pages.shown.usage import pace
from marketplace.placements.models import Placement
from marketplace.rentals.bills import Spent

#: of the table: one row for each of them, told by its last reading
ROW_S = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One minute in words."""

    moment: Moment
    #: each with its head
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    heads: tuple[str, ...]
    #: newest first
    rows: tuple[Row, ...]


def columns(placement: Placement, points: Sequence[Point], spent: Spent) -> dict[str, Any]:
    """Return the points, a column for each number.

    Moments are seconds since 1970, sizes bytes, CPUs cores, money dollars; None: nobody knows.
    """
    gpus = max((len(point.gpus) for point in points), default=0)
    return {
        "at": [point.at.timestamp() for point in points],
        "cpu": [None if one.cpu_milli is None else one.cpu_milli / 1000 for one in points],
        "memory": [point.memory_bytes for point in points],
        "disk": [point.disk_used_bytes for point in points],
        "received": [point.received_bytes_s for point in points],
        "sent": [point.sent_bytes_s for point in points],
        "gpus": [
            {
                "busy": [_of(point, number, "busy_percent") for point in points],
                "memory": [_of(point, number, "memory_bytes") for point in points],
            }
            for number in range(gpus)
        ],
        "cost": _costs(points, spent),
        "cpus_max": placement.cpus,
        "memory_max": placement.memory_bytes,
        "disk_max": placement.disk_bytes,
    }


def table(points: Sequence[Point]) -> Table:
    """Return the last hour by the minute, for whoever reads rather than sees."""
    by_minute = {int(point.at.timestamp()) // ROW_S: point for point in points}
    gpus = max((len(point.gpus) for point in points), default=0)
    heads = (
        *("CPU cores", "Memory", "Disk", "In", "Out"),
        *(f"GPU {number} busy" for number in range(1, gpus + 1)),
    )
    newest_first = sorted(by_minute, reverse=True)
    return Table(heads, tuple(_row(by_minute[minute], heads) for minute in newest_first))


def _costs(points: Sequence[Point], spent: Spent) -> list[float]:
    found, left, total = [], list(reversed(spent.later)), spent.before_microusd
    for point in points:
        while left and left[-1][0] <= point.at:
            total += left.pop()[1]
        found.append(total / MICROUSD_PER_USD)
    return found


def _row(point: Point, heads: Sequence[str]) -> Row:
    cells = [
        "–" if point.cpu_milli is None else f"{point.cpu_milli / 1000:.2f}",
        wording.size(point.memory_bytes),
        "–" if point.disk_used_bytes is None else wording.size(point.disk_used_bytes),
        *(
            "–" if speed is None else pace(speed)
            for speed in (point.received_bytes_s, point.sent_bytes_s)
        ),
    ]
    busy = [_of(point, number, "busy_percent") for number in range(len(heads) - len(cells))]
    cells += ["–" if percent is None else f"{percent} %" for percent in busy]
    return Row(Moment.of(point.at), tuple(zip(heads, cells, strict=True)))


def _of(point: Point, number: int, name: str) -> int | None:
    return getattr(point.gpus[number], name) if number < len(point.gpus) else None
