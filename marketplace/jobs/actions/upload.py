"""This will keep a file that a renter's jobs may have as an input."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Sum

from marketplace.domain.problem import Refused
from marketplace.jobs import storage
from marketplace.jobs.models import Blob

#: an upload that no job names is forgotten after this; a job keeps its inputs longer
KEPT = timedelta(days=1)
#: all of a renter's files together, uploads and outputs
RENTER_BYTES_MAX = 50 << 30


class BlobsTooMany(Refused):
    """The renter keeps as much here as one may."""

    code = "blobs_too_many"
    status = 409
    sentence = "Your files here are 50 GiB already; wait until older ones are forgotten."


def upload(*, renter_id: int, source: storage.Readable, now: datetime) -> Blob:
    """Return the stored file; the same content again is the same file, kept longer.

    :raises BlobTooLarge: when it is larger than this site takes.
    :raises BlobsTooMany: when the renter keeps too much already.
    """
    if bytes_of(renter_id) >= RENTER_BYTES_MAX:
        raise BlobsTooMany
    digest, size_bytes = storage.keep(source, bytes_max=settings.BLOB_BYTES_MAX)
    blob, _ = Blob.objects.update_or_create(
        renter_id=renter_id,
        placement=None,
        digest=digest,
        defaults={"expires_at": now + KEPT},
        create_defaults={
            "size_bytes": size_bytes,
            "stored_at": now,
            "expires_at": now + KEPT,
        },
    )
    return blob


def bytes_of(renter_id: int) -> int:
    """Return how much a renter keeps here."""
    sums = Blob.objects.filter(renter_id=renter_id).aggregate(all=Sum("size_bytes"))
    return int(sums["all"] or 0)
