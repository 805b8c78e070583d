"""This will end a job before it exits; nothing after this moment is charged."""

from datetime import datetime
from uuid import UUID

from marketplace.jobs import queries
from marketplace.placements.actions.request_end import request_end


def cancel(*, job_id: UUID, renter_id: int, now: datetime) -> None:
    """Ask for the job's end; asking twice, or once it exited, changes nothing.

    :raises JobUnknown: when this renter has no such job.
    """
    job = queries.find(job_id, renter_id)
    request_end(
        placement_id=job.placement_id,
        reason_code="renter_ended",
        reason="You cancelled it.",
        now=now,
    )
