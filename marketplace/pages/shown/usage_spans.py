"""This will prepare what a rental used in a day or a month, as columns to draw and as a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.domain.money import MICROUSD_PER_USD
from marketplace.domain.usage_summary import Figure, GpuSummary, Span, Summary
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.usage import pace
from marketplace.pages.shown.usage_history import Row, Table
from marketplace.placements.models import Placement
from marketplace.rentals.bills import Spent

#: how each is chosen, and what its table is called
CHOICES = {
    Span.HOUR: ("1 hour", "The last hour"),
    Span.DAY: ("1 day", "The last day, in steps of five minutes"),
    Span.MONTH: ("30 days", "The last 30 days, by the hour"),
}
#: of a chart, by the figure that it draws
NAMES = {
    "cpu": "cpu_milli",
    "memory": "memory_bytes",
    "disk": "disk_used_bytes",
    "received": "received_bytes_s",
    "sent": "sent_bytes_s",
}
MILLI = 1000


@dataclass(frozen=True, slots=True)
class Choice:
    span: Span
    label: str


def choices() -> tuple[Choice, ...]:
    """Return the spans that somebody may look at."""
    return tuple(Choice(span, label) for span, (label, _) in CHOICES.items())


def columns(
    placement: Placement, span: Span, summaries: Sequence[Summary], spent: Spent
) -> dict[str, Any]:
    """Return the averages in the columns of usage_history.py, and the most of each as ``_most``."""
    half_s = span.step_s / 2
    told: dict[str, Any] = {
        "span_s": span.length.total_seconds(),
        "at": [one.at.timestamp() + half_s for one in summaries],
    }
    for name, of in NAMES.items():
        figures = [getattr(one, of) for one in summaries]
        unit = MILLI if name == "cpu" else 1
        told[name] = [None if one is None else one.mean / unit for one in figures]
        told[f"{name}_most"] = [None if one is None else one.most / unit for one in figures]
    gpus = max((len(one.gpus) for one in summaries), default=0)
    told["gpus"] = [
        {
            "busy": [_mean(_busy(one, number)) for one in summaries],
            "memory": [_mean(_held(one, number)) for one in summaries],
        }
        for number in range(gpus)
    ]
    told["cost"] = _costs(span, summaries, spent)
    return told | {
        "cpus_max": placement.cpus,
        "memory_max": placement.memory_bytes,
        "disk_max": placement.disk_bytes,
    }


def table(summaries: Sequence[Summary]) -> Table:
    """Return each step, the newest first: its average, and in brackets the most."""
    gpus = max((len(one.gpus) for one in summaries), default=0)
    heads = (
        *("CPU cores", "Memory", "Disk", "In", "Out"),
        *(f"GPU {number} busy" for number in range(1, gpus + 1)),
    )
    return Table(heads, tuple(_row(one, heads, gpus) for one in reversed(summaries)))


def _costs(span: Span, summaries: Sequence[Summary], spent: Spent) -> list[float]:
    found, left, total = [], list(reversed(spent.later)), spent.before_microusd
    for one in summaries:
        ends = one.at.timestamp() + span.step_s
        while left and left[-1][0].timestamp() < ends:
            total += left.pop()[1]
        found.append(total / MICROUSD_PER_USD)
    return found


def _row(one: Summary, heads: Sequence[str], gpus: int) -> Row:
    cells = [
        _cell(one.cpu_milli, lambda milli: f"{milli / MILLI:.2f}"),
        _cell(one.memory_bytes, wording.size),
        _cell(one.disk_used_bytes, wording.size),
        _cell(one.received_bytes_s, pace),
        _cell(one.sent_bytes_s, pace),
        *(_cell(_busy(one, number), lambda percent: f"{percent} %") for number in range(gpus)),
    ]
    return Row(Moment.of(one.at), tuple(zip(heads, cells, strict=True)))


def _cell(figure: Figure | None, words: Callable[[int], str]) -> str:
    if figure is None:
        return "–"
    mean, most = words(figure.mean), words(figure.most)
    return mean if mean == most else f"{mean} ({most})"


def _mean(figure: Figure | None) -> int | None:
    return None if figure is None else figure.mean


def _gpu(one: Summary, number: int) -> GpuSummary | None:
    return one.gpus[number] if number < len(one.gpus) else None


def _busy(one: Summary, number: int) -> Figure | None:
    gpu = _gpu(one, number)
    return gpu.busy_percent if gpu else None


def _held(one: Summary, number: int) -> Figure | None:
    gpu = _gpu(one, number)
    return gpu.memory_bytes if gpu else None
