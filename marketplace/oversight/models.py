"""This will store what operators did, turned off and announce, and how passes do."""

from django.conf import settings
from django.db import models


class Act(models.Model):
    """One privileged act; the database refuses to change it, PostgreSQL also to remove it."""

    at = models.DateTimeField()
    #: None: by a command on the server
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="acts_done"
    )
    #: their e-mail address then, or ``command refund (root)``
    by_name = models.CharField(max_length=254)
    #: an ``ActKind``; without choices, as a new one would rebuild the table on SQLite, which then
    #: loses its trigger
    kind = models.CharField(max_length=32)
    #: None: it was about no person
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="acts_about"
    )
    #: what it was done to, such as ``payment 3f2a...``
    subject = models.CharField(max_length=200)
    reason = models.CharField(max_length=500)
    #: what changed, by name; both empty where nothing was there to be changed
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=("person", "-id"), name="act_of_person"),
            models.Index(fields=("by", "-id"), name="act_by"),
            models.Index(fields=("kind", "-id"), name="act_of_kind"),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="act_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject} by {self.by_name}"


class Switch(models.Model):
    """A feature that is off; no row: it is on."""

    #: a ``Feature``
    name = models.CharField(primary_key=True, max_length=32)
    off_at = models.DateTimeField()
    #: the operator's words behind the sentence that people read; may be empty
    words = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.name} off since {self.off_at:%Y-%m-%d %H:%M}"


class Announcement(models.Model):
    """What every page says until then; one that is withdrawn ends at once."""

    text = models.CharField(max_length=300)
    at = models.DateTimeField()
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"announced until {self.until:%Y-%m-%d %H:%M}: {self.text[:40]}"


class PassRun(models.Model):
    """When one pass of the schedule last ended; a few seconds behind (pass_runs.py)."""

    name = models.CharField(primary_key=True, max_length=32)
    #: None: it never went well
    ended_at = models.DateTimeField(null=True)
    #: of that run
    took_ms = models.PositiveIntegerField(null=True)
    #: None: it never failed
    failed_at = models.DateTimeField(null=True)
    #: the newest run failed
    failing = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.name} at {self.ended_at}"
