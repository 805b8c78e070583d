"""This will drop notices that are old, with what became of them."""

from datetime import datetime, timedelta

from marketplace.notices.models import Notice

KEPT = timedelta(days=180)
NOTICES_MAX = 1000


def forget(*, now: datetime) -> int:
    """Return how many were dropped in this pass."""
    old = Notice.objects.filter(at__lt=now - KEPT).order_by("at", "id")
    ids = list(old.values_list("id", flat=True)[:NOTICES_MAX])
    Notice.objects.filter(id__in=ids).delete()
    return len(ids)
