"""This will keep a file that a job left, as its machine sends it."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import LIVE
from marketplace.domain.problem import Refused
from marketplace.jobs import storage
from marketplace.jobs.models import Blob, Job
from marketplace.jobs.queries import LOGS_BYTES_MAX
from marketplace.placements.actions import lock
from protocol.workload import OUTPUTS_MOST, PlacementKind, Workload

#: how long a renter can fetch what a job left
KEPT = timedelta(days=7)


class JobUnknown(Refused):
    """The machine has no such job now."""

    code = "not_found"
    status = 404
    sentence = "This machine has no such job now."


class OutputsTooLarge(Refused):
    """Its job may not leave that much."""

    code = "outputs_too_large"
    status = 409
    sentence = "The job left more than it may send back."


class DigestWrong(Refused):
    """The file is not the one that its address names."""

    code = "digest_wrong"
    status = 422
    sentence = "The file's sha256 is not the one in the address; send it again."


def keep(
    *, machine_id: UUID, placement_id: UUID, digest: str, source: storage.Readable, now: datetime
) -> None:
    """Keep the file; the same again is fine.

    :raises JobUnknown: when the machine has no such job that lives.
    :raises OutputsTooLarge: when it and what is kept already are more than the job may leave.
    :raises DigestWrong: when something else came.
    """
    room_bytes = room(machine_id=machine_id, placement_id=placement_id, digest=digest)
    try:
        with storage.arriving(source, bytes_max=room_bytes) as arrived:
            if arrived.digest != digest:
                raise DigestWrong
            _keep(arrived, machine_id, placement_id, now)
    except storage.BlobTooLarge:
        raise OutputsTooLarge from None


def room(*, machine_id: UUID, placement_id: UUID, digest: str) -> int:
    """Return how large a file of this digest the machine may send for its job.

    :raises JobUnknown: when the machine has no such job that lives.
    :raises OutputsTooLarge: when there are as many files of it as may be.
    """
    return _room(_job(machine_id, placement_id), but=digest)


def _keep(arrived: storage.Arrived, machine_id: UUID, placement_id: UUID, now: datetime) -> None:
    with transaction.atomic():
        # Two files at once must not both take what is left.
        lock.lock(placement_ids=[placement_id])
        job = _job(machine_id, placement_id)
        if arrived.size_bytes > _room(job, but=arrived.digest):
            raise OutputsTooLarge
        arrived.keep()
        Blob.objects.get_or_create(
            placement_id=placement_id,
            digest=arrived.digest,
            defaults={
                "renter_id": job.renter_id,
                "size_bytes": arrived.size_bytes,
                "stored_at": now,
                "expires_at": now + KEPT,
            },
        )


def _job(machine_id: UUID, placement_id: UUID) -> Job:
    live = Job.objects.filter(
        placement_id=placement_id,
        placement__machine_id=machine_id,
        placement__kind=PlacementKind.JOB,
        placement__state__in=LIVE,
    )
    job = live.select_related("placement").first()
    if job is None:
        raise JobUnknown
    return job


def _room(job: Job, *, but: str) -> int:
    """Return what the job may still leave beside ``but``, which is counted anew."""
    outputs_bytes_max = Workload.model_validate(job.placement.workload).outputs_bytes_max
    most = outputs_bytes_max + LOGS_BYTES_MAX
    kept = Blob.objects.filter(placement_id=job.placement_id).exclude(digest=but)
    sizes = list(kept.values_list("size_bytes", flat=True))
    if len(sizes) >= OUTPUTS_MOST:
        raise OutputsTooLarge
    return most - sum(sizes)
