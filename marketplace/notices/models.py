"""This will store what people are told, where their web hooks are and what became of each event."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class Notice(models.Model):
    """Something that a person is told once. Its pk rises in the order of telling."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    #: for programs, such as balance_low (docs/notices.md lists all)
    kind = models.CharField(max_length=40)
    #: names what made it happen; nobody is told twice of one cause
    cause = models.CharField(max_length=200)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    #: for programs; "url" is a page of this site, beginning with a slash
    data = models.JSONField(default=dict)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    #: None: no letter is to be sent any more
    mail_due_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("user", "cause"), name="notice_once_per_cause")
        ]
        indexes = [
            models.Index(fields=("user", "-id"), name="notice_by_user"),
            models.Index(fields=("user",), condition=Q(read_at=None), name="notice_unread"),
            models.Index(
                fields=("mail_due_at",),
                condition=Q(mail_due_at__isnull=False),
                name="notice_mail_due",
            ),
            models.Index(fields=("at",), name="notice_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.cause}"


class LettersOff(models.Model):
    """A kind of notice of which a person gets no letters; the page and web hooks tell of it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="letters_off"
    )
    #: of domain.notices.LETTERS
    kind = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("user", "kind"), name="letters_off_once")]

    def __str__(self) -> str:
        return f"no letters of {self.kind} to {self.user_id}"


class WebHook(models.Model):
    """An address of the person's own that is told of each of their notices."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="web_hooks"
    )
    url = models.CharField(max_length=500)
    #: who of a team made it or turned it on: it is sent to as long as they may; None: of no team,
    #: or made before this was kept and sent to whoever leaves
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="web_hooks_made",
    )
    created_at = models.DateTimeField()
    #: counts its secrets from 0; notices/secret.py knows each
    secret_turn = models.PositiveIntegerField(default=0)
    #: when it got its newest secret; None: it has its first
    rotated_at = models.DateTimeField(null=True)
    #: those that were tried longest ago come first
    tried_at = models.DateTimeField()
    #: attempts that failed since one arrived
    failures = models.PositiveIntegerField(default=0)
    #: the first of these; None: the newest one arrived
    failing_since = models.DateTimeField(null=True)
    #: what became of the newest attempt; empty: it arrived
    problem = models.CharField(max_length=200, blank=True)
    #: since then nothing is sent there; None: it is on
    off_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = [models.UniqueConstraint(fields=("user", "url"), name="web_hook_once")]

    def __str__(self) -> str:
        return str(self.id)


class Delivery(models.Model):
    """One notice on its way to one web hook. Its id is the event's, the same at each attempt."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    hook = models.ForeignKey(WebHook, on_delete=models.CASCADE, related_name="deliveries")
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    attempts = models.PositiveSmallIntegerField(default=0)
    #: None: it arrived, or was given up
    next_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    #: of the newest attempt; empty: it arrived, or none was made
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("next_at", "id")
        constraints = [
            models.UniqueConstraint(fields=("hook", "notice"), name="delivery_once_per_hook")
        ]
        indexes = [
            models.Index(
                fields=("hook", "next_at"),
                condition=Q(next_at__isnull=False),
                name="delivery_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} to {self.hook_id}"


class Watched(models.Model):
    """How far a pass has told of something: what lies before the mark was told."""

    name = models.CharField(max_length=20, primary_key=True)
    #: a moment, or the number of a row
    at = models.DateTimeField(null=True)
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class Runway(models.Model):
    """What a person was warned of last, while their balance runs low."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="runway"
    )
    #: seconds, of domain.runway.WARNED_AT; 0: there is enough again
    warned_at_s = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"runway of {self.user_id}"
