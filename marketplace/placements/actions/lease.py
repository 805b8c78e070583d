"""This will give free GPUs of a machine to a placement."""

from uuid import UUID

from marketplace import plain_sql
from marketplace.domain.matching import OfferTaken

LEASE = """\
INSERT INTO "placements_lease" (machine_id, placement_id, gpu_uuid)
SELECT gpu.machine_id, %(placement_id)s, gpu.uuid FROM "machines_gpu" AS gpu
WHERE gpu.machine_id = %(machine_id)s AND NOT EXISTS (
  SELECT 1 FROM "placements_lease" AS lease
  WHERE lease.machine_id = gpu.machine_id AND lease.gpu_uuid = gpu.uuid
)
ORDER BY gpu.uuid, gpu.id LIMIT %(count)s RETURNING gpu_uuid
"""


def lease(*, machine_id: UUID, placement_id: UUID, count: int) -> list[str]:
    """Let so many GPUs that nobody has belong to the placement, and return which.

    Call it after the machine's reservation, which serialises a machine; the unique constraint is
    the last guard. The placement may be added after it, in the same transaction.

    :raises OfferTaken: when there are fewer.
    """
    if not count:
        return []
    leased = plain_sql.fetch(LEASE, machine_id=machine_id, placement_id=placement_id, count=count)
    if len(leased) < count:
        raise OfferTaken("Somebody else took these GPUs meanwhile.")
    return sorted(uuid for (uuid,) in leased)
