"""This will read volumes for the sync, the rentals and their renters."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from marketplace.domain.problem import Refused
from marketplace.kept_sql import kept
from marketplace.keyset import RowPage, newest_first
from marketplace.volumes.models import Volume
from protocol.workload import DesiredVolume

#: of one page of a list
PAGE_MAX = 100


class Listed(NamedTuple):
    """What a machine is told of a volume."""

    id: UUID
    machine_id: UUID
    size_bytes: int
    removed_at: datetime | None


class VolumeUnknown(Refused):
    """There is no such volume, or it is somebody else's."""

    code = "not_found"
    status = 404
    sentence = "You have no such volume."


def of_renter(renter_id: int) -> QuerySet[Volume]:
    """Return the renter's volumes with their machines and placements, by machine and name.

    One that is being deleted is listed until it is gone, as its name is taken until then.
    """
    found = Volume.objects.filter(renter_id=renter_id).select_related("machine", "placement")
    return found.order_by("machine_id", "name", "id")


def page(renter_id: int, *, after: UUID | None = None) -> RowPage[Volume]:
    """Return a page of the renter's volumes, newest first."""
    return newest_first(of_renter(renter_id), at="created_at", after=after, rows_max=PAGE_MAX)


def listed_by_machine(machine_ids: Collection[UUID]) -> dict[UUID, list[Listed]]:
    """Return the volumes that each machine shall have or remove, in one query."""
    found: dict[UUID, list[Listed]] = {}
    for volume in map(Listed._make, _listed(machine_ids)):
        found.setdefault(volume.machine_id, []).append(volume)
    return found


@kept()
def _listed(machine_ids: Collection[UUID], _now: datetime) -> QuerySet[Volume, tuple[Any, ...]]:
    mine = Volume.objects.filter(machine_id__in=machine_ids)
    return mine.order_by("created_at", "id").values_list(*Listed._fields)


def as_desired(listed: Iterable[Listed]) -> tuple[DesiredVolume, ...]:
    """Return the volumes as their machine is told of them."""
    return tuple(
        DesiredVolume(
            volume_id=volume.id,
            size_bytes=volume.size_bytes,
            remove=volume.removed_at is not None,
        )
        for volume in listed
    )
