"""This will delete a volume and everything in it, as only its renter may."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.machines.actions import desire, lock
from marketplace.volumes.actions.claim import VolumeInUse
from marketplace.volumes.models import Volume
from marketplace.volumes.queries import VolumeUnknown

logger = logging.getLogger(__name__)


def delete(*, volume_id: UUID, renter_id: int, now: datetime) -> Volume:
    """Return the volume, which its machine removes; asking twice changes nothing.

    Its disk is free for others once the machine says that it is gone.

    :raises VolumeUnknown: when this renter has no such volume.
    :raises VolumeInUse: when a rental has it.
    """
    mine = Volume.objects.filter(id=volume_id, renter_id=renter_id)
    machine_id = mine.values_list("machine_id", flat=True).first()
    if machine_id is None:
        raise VolumeUnknown
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        volume = mine.select_related("machine", "placement").first()
        if volume is None:
            raise VolumeUnknown
        if volume.in_use:
            raise VolumeInUse(f"A rental has volume {volume.name}; end that one first.")
        if volume.removed_at is None:
            volume.removed_at = now
            volume.save(update_fields=["removed_at"])
            desire.bump(machine_id=machine_id)
            logger.info("Volume deleted", extra={"volume_id": volume_id, "machine": machine_id})
    return volume
