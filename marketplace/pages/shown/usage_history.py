"""This will prepare what a rental used in the last hour, as columns to draw and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.domain.money import MICROUSD_PER_USD
from marketplace.domain.usage import Point, columns_of
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.usage import pace
from marketplace.placements.models import Placement
from marketplace.rentals.bills import Spent

#: of a point, a number each
COLUMNS = ("at", "cpu", "memory", "disk", "received", "sent")
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
    """Return the points, a column for each number of ``columns_of``, and the cost in dollars."""
    rows = [columns_of(point) for point in points]
    gpus = max((len(row["gpus"]) for row in rows), default=0)
    return {
        **{name: [row[name] for row in rows] for name in COLUMNS},
        "gpus": [
            {name: [_of(row["gpus"], number, name) for row in rows] for name in ("busy", "memory")}
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
    gpus = columns_of(point)["gpus"]
    busy = [_of(gpus, number, "busy") for number in range(len(heads) - len(cells))]
    cells += ["–" if percent is None else f"{percent} %" for percent in busy]
    return Row(Moment.of(point.at), tuple(zip(heads, cells, strict=True)))


def _of(gpus: Sequence[Mapping[str, int | None]], number: int, name: str) -> int | None:
    return gpus[number][name] if number < len(gpus) else None
