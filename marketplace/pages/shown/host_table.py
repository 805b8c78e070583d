"""This will prepare the table of a host's machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from marketplace.domain.money import PPM, format_usd
from marketplace.pages import wording
from marketplace.pages.host_table import HostRow, HostTable, Sort
from marketplace.pages.shown.machine import STATES

#: in the order of the columns
HEADS: Mapping[Sort, str] = {
    Sort.ENROLLED: "Machine",
    Sort.STATUS: "Status",
    Sort.VERDICT: "Verdict",
    Sort.OCCUPANCY: "Occupancy",
    Sort.EARNED: "Earned",
    Sort.RELIABILITY: "Reliability",
}
#: how each column is sorted, for whoever hears it
ORDERS = {
    Sort.ENROLLED: ("ascending", "oldest first"),
    Sort.STATUS: ("ascending", "away first"),
    Sort.VERDICT: ("ascending", "worst first"),
    Sort.OCCUPANCY: ("descending", "most first"),
    Sort.EARNED: ("descending", "most first"),
    Sort.RELIABILITY: ("ascending", "least first"),
}
NUMBERS = frozenset({Sort.OCCUPANCY, Sort.EARNED, Sort.RELIABILITY})


@dataclass(frozen=True, slots=True)
class Head:
    label: str
    url: str
    #: ``ascending`` or ``descending``; empty: the table is sorted by another
    order: str
    hint: str
    end: bool


@dataclass(frozen=True, slots=True)
class Row:
    url: str
    title: str
    short_id: str
    presence: str
    presence_tone: str
    seen: str
    verdict: str
    verdict_tone: str
    score: str
    occupancy: str
    free: str
    earned: str
    price: str
    reliability: str


@dataclass(frozen=True, slots=True)
class TablePage:
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    machines: str
    online: str
    earned: str
    next_url: str


def page(found: HostTable, sort: Sort, now: datetime) -> TablePage:
    """Return the table."""
    place = found.next_place
    query = "" if place is None else urlencode({"sort": sort.value, "after": place.encode()})
    return TablePage(
        heads=tuple(_head(one, sort) for one in HEADS),
        rows=tuple(_row(row, now) for row in found.rows),
        machines=wording.count(found.machines, "machine"),
        online=f"{found.online:,} online",
        earned=format_usd(found.earned_microusd),
        next_url=f"/host/?{query}" if query else "",
    )


def _head(of: Sort, sort: Sort) -> Head:
    order, hint = ORDERS[of]
    return Head(
        label=HEADS[of],
        url=f"/host/?sort={of.value}",
        order=order if of is sort else "",
        hint=hint,
        end=of in NUMBERS,
    )


def _row(row: HostRow, now: datetime) -> Row:
    offer, machine = row.offer, row.offer.machine
    verdict, tone = STATES[row.state]
    gpus = f"{machine.gpus_total} × {machine.gpu_model}" if machine.gpus_total else ""
    free, total = (
        (machine.gpus_free, wording.count(machine.gpus_total, "GPU"))
        if machine.gpus_total
        else (machine.cpus_free, wording.count(machine.cpus_total, "CPU"))
    )
    unit = "GPU-hour" if machine.gpus_total else "CPU-hour"
    return Row(
        url=f"/host/machines/{machine.id}/",
        title=gpus or f"{machine.cpus_total}-CPU machine",
        short_id=str(machine.id)[:8],
        presence="Online" if machine.online else "Offline",
        presence_tone="good" if machine.online else "bad",
        seen=wording.ago(machine.last_seen_at, now),
        verdict=verdict,
        verdict_tone=tone,
        score="not scored yet"
        if row.points_micro is None
        else f"{wording.points(row.points_micro)} points",
        occupancy=f"{row.occupancy_ppm / 10_000:.1f} %",
        free=f"{max(0, free)} of {total} free",
        earned=format_usd(row.earned_microusd),
        price=f"{format_usd(offer.price_unit_microusd)} per {unit}"
        if offer.listed
        else "not on the market",
        reliability=f"{row.uptime_ppm / PPM:.4f}",
    )
