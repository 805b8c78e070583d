"""This will delete what containers said an hour after it came."""

from datetime import datetime

from marketplace.logs.models import ContainerLog


def forget(*, now: datetime) -> int:
    """Return how many were deleted."""
    deleted, _ = ContainerLog.objects.filter(expires_at__lte=now).delete()
    return deleted
