"""This will forget files whose time is over, and remove bytes that are nobody's."""

from datetime import datetime, timedelta

from marketplace.jobs import storage
from marketplace.jobs.models import Blob

#: A file may lie unclaimed so long: its row is written after its last byte.
UNCLAIMED = timedelta(hours=1)


def forget_blobs(*, now: datetime) -> int:
    """Return how many files this pass removed."""
    Blob.objects.filter(expires_at__lte=now).delete()
    before_s = (now - UNCLAIMED).timestamp()
    old = list(storage.kept(before_s=before_s))
    removed = 0
    for first in range(0, len(old), 500):
        some = old[first : first + 500]
        claimed = set(
            Blob.objects.filter(digest__in=[path.name for path in some]).values_list(
                "digest", flat=True
            )
        )
        for path in some:
            # It may have come again since: then its row is written soon, or is by now.
            if path.name not in claimed and storage.remove(path, before_s=before_s):
                removed += 1
    return removed
