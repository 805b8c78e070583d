"""This will keep the newest end of each container's log for a while, and who is asked for one."""

from django.db import models
from django.db.models import Q

from marketplace.placements.models import Placement


class ContainerLog(models.Model):
    """What was asked last of one placement, and what its machine sent last.

    It may hold its renter's secrets: nobody else is shown it, and no admin page knows of it.
    """

    placement = models.OneToOneField(
        Placement, on_delete=models.CASCADE, primary_key=True, related_name="container_log"
    )
    #: named by the answer; null: nothing is asked
    asked_id = models.UUIDField(null=True, blank=True)
    #: when the newest question was put; null: nobody ever asked
    asked_at = models.DateTimeField(null=True, blank=True)
    lines_most = models.PositiveIntegerField(default=0)
    #: protocol.container_log.LogLine, encrypted (sealed.py); empty: there are none
    sealed = models.TextField(blank=True, default="")
    #: when the newest answer came; null: none did
    taken_at = models.DateTimeField(null=True, blank=True)
    has_container = models.BooleanField(default=True)
    #: it said more before these lines
    is_cut = models.BooleanField(default=False)
    #: the row is deleted then
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="log_asked_at",
                condition=Q(asked_id__isnull=True) | Q(asked_at__isnull=False),
            )
        ]
        indexes = [
            models.Index(
                name="log_asked", fields=["asked_at"], condition=Q(asked_id__isnull=False)
            ),
            models.Index(name="log_old", fields=["expires_at"]),
        ]

    def __str__(self) -> str:
        return f"log of {self.placement_id}"
