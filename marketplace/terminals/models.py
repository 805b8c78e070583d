"""This will keep which terminals are open in browsers, and the key that each logs in with."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace.rentals.models import Rental


class TerminalSession(models.Model):
    """One terminal in a browser. Its private key is in the memory of one process alone."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    rental = models.ForeignKey(Rental, on_delete=models.CASCADE, related_name="terminals")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="terminals"
    )
    #: who of a team opened it; None: ``user`` is no team
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="terminals_for_teams",
    )
    #: the line that the rental admits; empty: it is logged in or over, and admitted no more
    admitted = models.CharField(max_length=500, blank=True, default="")
    opened_at = models.DateTimeField()
    #: its process was alive then
    seen_at = models.DateTimeField()
    #: null: it is open
    ended_at = models.DateTimeField(null=True, blank=True)
    #: why it ended: domain.terminal.END
    end_code = models.CharField(max_length=32, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="terminal_ended_is_not_admitted",
                condition=Q(ended_at__isnull=True) | Q(admitted=""),
            )
        ]
        indexes = [
            models.Index(name="terminal_open", fields=["user"], condition=Q(ended_at__isnull=True)),
            models.Index(
                name="terminal_open_by_person",
                fields=["person"],
                condition=Q(ended_at__isnull=True, person__isnull=False),
            ),
            models.Index(name="terminal_old", fields=["opened_at"]),
        ]

    def __str__(self) -> str:
        return f"terminal {str(self.id)[:8]} of {self.rental_id}"
