"""This will give free GPUs of a machine to a placement."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.domain.matching import OfferTaken
from marketplace.machines.models import Gpu
from marketplace.placements.models import Lease


def free_gpus(machine_id: UUID, count: int) -> list[str]:
    """Return so many GPUs that nobody has leased; call it after the machine's reservation.

    :raises OfferTaken: when there are fewer.
    """
    if not count:
        return []
    leased = Lease.objects.filter(machine_id=machine_id).values("gpu_uuid")
    found = list(
        Gpu.objects.filter(machine_id=machine_id)
        .exclude(uuid__in=leased)
        .order_by("uuid", "id")
        .values_list("uuid", flat=True)[:count]
    )
    if len(found) < count:
        raise OfferTaken("Somebody else took these GPUs meanwhile.")
    return found


def lease(*, machine_id: UUID, placement_id: UUID, gpu_uuids: Sequence[str]) -> None:
    """Let these GPUs belong to the placement.

    The reservation serialises a machine; the unique constraint is the last guard.
    """
    Lease.objects.bulk_create(
        Lease(machine_id=machine_id, placement_id=placement_id, gpu_uuid=uuid) for uuid in gpu_uuids
    )
