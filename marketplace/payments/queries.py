"""This will list what people paid in."""

from collections.abc import Sequence

from marketplace.payments.models import TopUp


def top_ups(user_id: int, limit: int = 50) -> Sequence[TopUp]:
    """Return the person's latest payments, newest first."""
    return tuple(TopUp.objects.filter(user_id=user_id).order_by("-created_at", "id")[:limit])
