"""This will store exports until their week is over."""

import uuid

from django.conf import settings
from django.db import models

#: of one export; then nothing is tried any more
ATTEMPTS_MAX = 3


class Export(models.Model):
    """All that is kept about a person, as of when it was made."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="exports"
    )
    asked_at = models.DateTimeField(db_index=True)
    #: None: a pass makes it
    ready_at = models.DateTimeField(null=True)
    #: begun so often, also by a process that was killed over it
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    #: a zip; None: not yet
    content = models.BinaryField(null=True)
    size_bytes = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("-asked_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("user",),
                condition=models.Q(ready_at=None, attempts__lt=ATTEMPTS_MAX),
                name="export_one_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"export of {self.user_id}"

    @property
    def is_given_up(self) -> bool:
        """Whether it could not be made."""
        return self.ready_at is None and self.attempts >= ATTEMPTS_MAX


class Farewell(models.Model):
    """The last letter to somebody whose account is gone; sent, it is forgotten."""

    email = models.EmailField()
    at = models.DateTimeField()
    #: when it is sent, or tried again
    due_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"farewell {self.pk}"
