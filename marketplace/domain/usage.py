"""This will turn a placement's readings into what it used from one to the next."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from protocol.usage import USAGE_EVERY_S, GpuUsage, PlacementUsage, Usage

HISTORY_S = 3600
SLOTS = HISTORY_S // USAGE_EVERY_S


@dataclass(frozen=True, slots=True)
class Point:
    """What a placement held at one moment, and used since the moment before it."""

    at: datetime
    #: thousandths of a CPU core; None: its run had no reading before
    cpu_milli: int | None
    memory_bytes: int
    #: None: its disk has no limit of its own
    disk_used_bytes: int | None
    disk_bytes: int | None
    #: bytes in a second; None: it has no network, or its run had no reading before
    received_bytes_s: int | None
    sent_bytes_s: int | None
    gpus: tuple[GpuUsage, ...]


def slot_of(at: datetime) -> int:
    """Return which of a machine's rows a reading of this moment takes."""
    return int(at.timestamp()) // USAGE_EVERY_S % SLOTS


def content_of(
    usage: Usage, *, gpu_uuids: Mapping[UUID, Collection[str]], card_uuids: Collection[str]
) -> dict[str, Any]:
    """Return what is kept of a reading, each placement's by its id.

    ``gpu_uuids``: of the machine's live placements; what it says of others is left out, as are
    cards that are not in ``card_uuids``, and all but the last word on one thing.
    """
    own = {one.placement_id: one for one in usage.placements if one.placement_id in gpu_uuids}
    cards = {card.uuid: card for card in usage.machine.cards if card.uuid in card_uuids}
    placements = {
        str(placement_id): _dumped(one, _of(one.gpus, gpu_uuids[placement_id]))
        for placement_id, one in own.items()
    }
    machine = usage.machine.model_copy(update={"cards": tuple(cards.values())})
    return {
        "machine": machine.model_dump(mode="json", exclude_defaults=True),
        "placements": placements,
    }


def _of(gpus: Iterable[GpuUsage], uuids: Collection[str]) -> tuple[GpuUsage, ...]:
    return tuple({gpu.uuid: gpu for gpu in gpus if gpu.uuid in uuids}.values())


def _dumped(usage: PlacementUsage, gpus: tuple[GpuUsage, ...]) -> dict[str, Any]:
    own = usage.model_copy(update={"gpus": gpus})
    return own.model_dump(mode="json", exclude_defaults=True)


def columns_of(point: Point) -> dict[str, Any]:
    """Return what is drawn of a point, by the names of its columns.

    Moments are seconds since 1970, sizes bytes, CPUs cores; None: nobody knows.
    """
    return {
        "at": point.at.timestamp(),
        "cpu": None if point.cpu_milli is None else point.cpu_milli / 1000,
        "memory": point.memory_bytes,
        "disk": point.disk_used_bytes,
        "received": point.received_bytes_s,
        "sent": point.sent_bytes_s,
        "gpus": [{"busy": gpu.busy_percent, "memory": gpu.memory_bytes} for gpu in point.gpus],
    }


def points(readings: Iterable[tuple[datetime, PlacementUsage]]) -> tuple[Point, ...]:
    """Return a point for each reading, the oldest first, as the readings are."""
    found: list[Point] = []
    before: tuple[datetime, PlacementUsage] | None = None
    for at, usage in readings:
        found.append(_point(at, usage, before))
        before = at, usage
    return tuple(found)


def _point(
    at: datetime, usage: PlacementUsage, before: tuple[datetime, PlacementUsage] | None
) -> Point:
    def a_second(now: int | None, then: int | None) -> int | None:
        if before is None or now is None or then is None:
            return None
        passed_ms = int((at - before[0]).total_seconds() * 1000)
        # A counter that fell began anew: nobody knows what it had reached.
        return (now - then) * 1000 // passed_ms if passed_ms > 0 and now >= then else None

    then = before[1] if before is not None and before[1].run == usage.run else None
    return Point(
        at=at,
        cpu_milli=a_second(usage.cpu_ms, then.cpu_ms if then else None),
        memory_bytes=usage.memory_bytes,
        disk_used_bytes=usage.disk_used_bytes,
        disk_bytes=usage.disk_bytes,
        received_bytes_s=a_second(usage.received_bytes, then.received_bytes if then else None),
        sent_bytes_s=a_second(usage.sent_bytes, then.sent_bytes if then else None),
        gpus=usage.gpus,
    )
