"""This will give a renter's volumes to a placement that is about to be made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from marketplace.domain.matching import OfferTaken, Slice
from marketplace.domain.problem import Refused
from marketplace.machines.actions import reserve
from marketplace.volumes.models import Volume
from protocol.agent import DESIRED_MOST

#: of one renter on one machine
VOLUMES_MAX = 16
SIZE_BYTES_MIN = 1 << 20


class VolumeInUse(Refused):
    """Another rental has it, or had it a moment ago."""

    code = "volume_in_use"
    status = 409
    retry_after_s = 10


class VolumeGoing(Refused):
    """It was deleted, and its machine has not said yet that it is gone."""

    code = "volume_going"
    status = 409
    retry_after_s = 10


class VolumeSizeWrong(Refused):
    """It has another size, or none was named for a new one."""

    code = "volume_size"
    status = 422


class VolumesMany(Refused):
    code = "volumes_many"
    status = 409
    sentence = f"You have {VOLUMES_MAX} volumes on this machine; delete one first."


@dataclass(frozen=True, slots=True)
class Asked:
    """A volume as a renter names it: one that is there, or one to be made."""

    name: str
    #: where it is inside
    path: str
    #: None: it is there already
    size_bytes: int | None = None


def claim(
    *, renter_id: int, machine_id: UUID, asked: Sequence[Asked], now: datetime
) -> list[Volume]:
    """Return the volumes in the order asked for, made where they are missing.

    Call it behind the machine's lock, in the transaction that makes the placement, and give them
    to it then (``give``). A new one reserves its disk.

    :raises VolumeInUse: when another placement has one of them.
    :raises VolumeGoing: when one of them is being deleted.
    :raises VolumeSizeWrong: when one has another size, or a new one has none.
    :raises VolumesMany: when there would be too many.
    :raises OfferTaken: when the machine or its disk has no room for a new one.
    """
    mine = Volume.objects.filter(renter_id=renter_id, machine_id=machine_id)
    known = {volume.name: volume for volume in mine.select_related("placement").order_by("id")}
    new = [one for one in asked if one.name not in known]
    if new and len(known) + len(new) > VOLUMES_MAX:
        raise VolumesMany
    if new and Volume.objects.filter(machine_id=machine_id).count() + len(new) > DESIRED_MOST:
        raise OfferTaken("This machine has as many volumes as it can have; choose another offer.")
    for one in asked:
        _check(one, known.get(one.name))
    if new:
        size_bytes = sum(one.size_bytes or 0 for one in new)
        disk = Slice(cpus=0, memory_bytes=0, disk_bytes=size_bytes)
        reserve.reserve(machine_id=machine_id, asked=disk)
    for one in new:
        known[one.name] = Volume.objects.create(
            renter_id=renter_id,
            machine_id=machine_id,
            name=one.name,
            size_bytes=one.size_bytes or 0,
            created_at=now,
        )
    return [known[one.name] for one in asked]


def give(*, volumes: Sequence[Volume], placement_id: UUID) -> None:
    """Let the volumes be in use by this placement."""
    ids = [volume.id for volume in volumes]
    Volume.objects.filter(id__in=ids).update(placement_id=placement_id)


def _check(one: Asked, volume: Volume | None) -> None:
    if volume is None:
        if one.size_bytes is None or one.size_bytes < SIZE_BYTES_MIN:
            raise VolumeSizeWrong(
                f"You have no volume {one.name} on this machine; name the size of a new one,"
                " at least 1 MiB."
            )
        return
    if volume.removed_at is not None:
        raise VolumeGoing(f"Volume {one.name} is being deleted; wait until it is gone.")
    if volume.in_use:
        raise VolumeInUse(f"Another rental has volume {one.name}; end that one first.")
    if one.size_bytes not in (None, volume.size_bytes):
        raise VolumeSizeWrong(
            f"Volume {one.name} has {volume.size_bytes} bytes; leave its size out to use it."
        )
