"""This will note that a person has seen their notices."""

from datetime import datetime

from marketplace.notices.models import Notice


def mark_read(*, user_id: int, up_to: int, now: datetime) -> int:
    """Return how many were unread, of those up to this number: a newer one was not seen yet."""
    unread = Notice.objects.filter(user_id=user_id, id__lte=up_to, read_at=None)
    return unread.update(read_at=now)
