"""This will keep a file that a renter's jobs may have as an input."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from marketplace.accounts.actions import lock_account
from marketplace.domain.problem import Refused
from marketplace.jobs import queries, storage
from marketplace.jobs.models import Blob

#: an upload that no job names is forgotten after this; a job keeps its inputs longer
KEPT = timedelta(days=1)
#: all of a renter's files together: uploads, outputs, and what live jobs may still leave
RENTER_BYTES_MAX = 50 << 30


class BlobsTooMany(Refused):
    """The renter keeps as much here as one may."""

    code = "blobs_too_many"
    status = 409
    sentence = (
        f"Your files here, with what your jobs may leave, would be over {RENTER_BYTES_MAX >> 30} "
        "GiB; wait until older ones are forgotten, or ask for smaller outputs."
    )


def upload(*, renter_id: int, source: storage.Readable, now: datetime) -> Blob:
    """Return the stored file; the same content again is the same file, kept longer.

    :raises BlobTooLarge: when it is larger than this site takes.
    :raises BlobsTooMany: when the renter would keep too much.
    """
    with (
        storage.arriving(source, bytes_max=room(renter_id)) as arrived,
        transaction.atomic(),
    ):
        lock_account.lock(user_id=renter_id)
        own = Blob.objects.filter(renter_id=renter_id, placement=None, digest=arrived.digest)
        check_room(renter_id=renter_id, more_bytes=0 if own.exists() else arrived.size_bytes)
        arrived.keep()
        blob, _ = Blob.objects.update_or_create(
            renter_id=renter_id,
            placement=None,
            digest=arrived.digest,
            defaults={"expires_at": now + KEPT},
            create_defaults={
                "size_bytes": arrived.size_bytes,
                "stored_at": now,
                "expires_at": now + KEPT,
            },
        )
    return blob


def room(renter_id: int) -> int:
    """Return how large a file the renter may send now.

    :raises BlobsTooMany: when the renter keeps as much as one may.
    """
    if queries.bytes_of(renter_id) >= RENTER_BYTES_MAX:
        raise BlobsTooMany
    return int(settings.BLOB_BYTES_MAX)


def check_room(*, renter_id: int, more_bytes: int) -> None:
    """Accept that the renter keeps so much more. Call it in the transaction that keeps it.

    It began by locking their account: whoever comes at the same time sees what it kept.

    :raises BlobsTooMany: when that would be too much.
    """
    if queries.bytes_of(renter_id) + more_bytes > RENTER_BYTES_MAX:
        raise BlobsTooMany
