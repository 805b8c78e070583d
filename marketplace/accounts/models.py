"""This will store the people and their keys."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone

from marketplace.domain.spending import Period


class UserManager(BaseUserManager["User"]):
    """Makes users that are known by their e-mail address alone."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Return a new person; no password means that nobody can log in as them."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Return a new operator."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the person with this address, however its letters are cased."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """An account. A person: renter, host or operator, or several of these at once; or a team.

    A team has money and rents like a person, and nobody ever logs in as one: its members act for
    it (accounts/acting.py). Its address leads nowhere.
    """

    email = models.EmailField(unique=True)
    #: empty: this is a person
    team_name = models.CharField(max_length=60, blank=True, default="", db_default="")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        indexes = [
            models.Index(
                fields=("team_name",), condition=~models.Q(team_name=""), name="team_by_name"
            )
        ]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_any_case"),
            # "!" begins what no password ever is.
            models.CheckConstraint(
                condition=models.Q(team_name="")
                | models.Q(("password__startswith", "!"), is_staff=False, is_superuser=False),
                name="team_logs_in_nowhere",
            ),
        ]

    def __str__(self) -> str:
        return self.shown

    @property
    def is_team(self) -> bool:
        """Whether it is a team, as which nobody logs in."""
        return self.team_name != ""

    @property
    def shown(self) -> str:
        """What others call it."""
        return self.team_name or self.email

    def save(self, *arguments: Any, **options: Any) -> None:
        """Write the person down; with a new password, every API key ends.

        Who changes it may do so because somebody else got in, and whoever did has made a key.
        """
        # Django leaves this None where only the hash is renewed, as at a log-in.
        new_password = self._password is not None and self.pk is not None  # type: ignore[attr-defined]
        with transaction.atomic():
            super().save(*arguments, **options)
            if new_password:
                self.end_api_keys(timezone.now())

    def end_api_keys(self, now: datetime) -> None:
        """Refuse every key of theirs from now on, those too that they made for teams."""
        theirs = models.Q(user=self) | models.Q(made_by=self)
        ApiKey.objects.filter(theirs, revoked_at=None).update(revoked_at=now)


class SshKey(models.Model):
    """A public key that opens the doors of its owner's rentals."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="ssh_keys")
    name = models.CharField(max_length=80)
    #: ``ssh-ed25519 AAAA...``: one line, without comment or options
    public_key = models.CharField(max_length=2000)
    #: ``SHA256:...`` as ``ssh-keygen -l`` prints it
    fingerprint = models.CharField(max_length=60)
    created_at = models.DateTimeField()
    #: who added it to a team's; None: its owner did
    added_by = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, related_name="ssh_keys_added"
    )

    class Meta:
        ordering = ("created_at", "id")
        constraints = [
            models.UniqueConstraint(fields=("user", "fingerprint"), name="ssh_key_once_per_user")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.fingerprint}"


class SshKeyHolder(models.Model):
    """Who else of a team added a key that was on its list: with the first alone it does not go."""

    key = models.ForeignKey(SshKey, on_delete=models.CASCADE, related_name="holders")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="ssh_keys_shared")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("key", "person"), name="ssh_key_holder_once")
        ]

    def __str__(self) -> str:
        return f"{self.person_id} of {self.key_id}"


class ApiKey(models.Model):
    """A secret for programs, of which only a digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    #: the first characters, to tell keys apart in a list
    prefix = models.CharField(max_length=16)
    #: sha256 of the whole key in hex: the key has 256 random bits, so no slow hash is needed
    digest = models.CharField(max_length=64, unique=True)
    #: who made it for a team: it does no more than they may there; None: its owner did
    made_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="api_keys_made"
    )
    #: domain.scope.Scope; empty: it may do all that its owner may
    scopes = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    #: it opens nothing from then on; null: it lasts until it is revoked
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return f"{self.prefix} {self.name}"

    def has_ended(self, now: datetime) -> bool:
        """Say whether it opens nothing any more by itself."""
        return self.expires_at is not None and self.expires_at <= now


class SpendLimit(models.Model):
    """The most that an account, or one of its API keys, may set aside for what it rents.

    Only ledger/actions/spend_limit.py counts here.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="spend_limits")
    #: None: it bounds the whole account
    api_key = models.OneToOneField(
        ApiKey, on_delete=models.CASCADE, null=True, related_name="spend_limit"
    )
    period = models.CharField(max_length=8, choices=[(p.value, p.value) for p in Period])
    #: None: it was taken off
    limit_microusd = models.BigIntegerField(null=True)
    #: set aside in the period that began then, less what came back of it
    counted_microusd = models.BigIntegerField(default=0)
    began_at = models.DateTimeField(null=True)
    #: of the newest change: when, and the limit before it (None: there was none)
    changed_at = models.DateTimeField(null=True, db_index=True)
    former_microusd = models.BigIntegerField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=("user", "period"),
                condition=models.Q(api_key=None),
                name="spend_limit_once_a_period",
            ),
            models.CheckConstraint(
                condition=models.Q(counted_microusd__gte=0), name="spend_limit_counts_up"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period} limit of {self.user_id}"


class AccountEvent(models.Model):
    """Something about an account that its owner is told of, as it may not have been them."""

    class Kind(StrEnum):
        """Kinds of notices too (domain.notices.KINDS)."""

        API_KEY_MADE = "api_key_made"
        SECOND_STEP_REMOVED = "second_step_removed"
        CODES_FAILED = "codes_failed"
        LOG_IN_LINKED = "log_in_linked"
        TEAM_CHANGED = "team_changed"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="account_events")
    kind = models.CharField(max_length=40)
    #: what a person may want to know of it, such as a key's name
    about = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    #: None: not yet
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        indexes = [
            models.Index(
                fields=("id",), condition=models.Q(told_at=None), name="account_event_untold"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"


class Membership(models.Model):
    """A person in a team. The team's row is locked by whoever changes who is in it."""

    team = models.ForeignKey(User, on_delete=models.CASCADE, related_name="members")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    #: a domain.team.Role
    role = models.CharField(max_length=16)
    since = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=("team", "person"), name="membership_once"),
            models.CheckConstraint(
                condition=~models.Q(team=models.F("person")), name="team_of_others"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.person_id} of {self.team_id}"


class Invitation(models.Model):
    """What lets whoever proves an address into a team, once; answered, it is gone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    #: in small letters
    email = models.EmailField()
    role = models.CharField(max_length=16)
    #: it is worth what they may give in the moment that it is taken
    invited_by = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="invitations_written"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    #: when its letter is sent, or tried again; None: no more
    mail_due_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = [
            models.UniqueConstraint(fields=("team", "email"), name="invitation_once_per_address")
        ]
        indexes = [models.Index(fields=("email",), name="invitation_of_address")]

    def __str__(self) -> str:
        return f"invitation {self.pk} to {self.team_id}"


class TeamEvent(models.Model):
    """What somebody did in a team or in its name; its owners read it."""

    team = models.ForeignKey(User, on_delete=models.CASCADE, related_name="team_events")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="done_for_teams")
    #: what pages have words for (pages/shown/team.py), or ``did``
    kind = models.CharField(max_length=32)
    #: to whom; None: to nobody in particular
    whom = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="had_in_teams")
    #: a role, a key's name or a page
    about = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=("team", "-id"), name="event_of_team"),
            models.Index(fields=("at",), name="team_event_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.team_id} by {self.by_id}"


class AttemptCount(models.Model):
    """How often something that is limited was tried since its window opened."""

    #: sha256, in hex, of what is limited and whose attempts these are
    key = models.CharField(primary_key=True, max_length=64)
    attempts = models.PositiveIntegerField()
    #: then the window is over and the count starts anew
    resets_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.attempts} until {self.resets_at:%H:%M:%S}"


class KeptAnswer(models.Model):
    """What a call made that came with an idempotency key, for when it comes again (once.py)."""

    #: sha256, in hex, of whose call it was, by which API key, and its idempotency key
    name_digest = models.CharField(primary_key=True, max_length=64)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="kept_answers")
    #: of all that was asked for
    request_digest = models.CharField(max_length=64)
    #: sealed by the idempotency key, which is kept nowhere
    sealed = models.TextField(default="")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        #: finds out whether a user may have one more (once.py)
        indexes = (models.Index(fields=["user", "expires_at"], name="answers_of_a_user"),)

    def __str__(self) -> str:
        return f"answer until {self.expires_at:%H:%M:%S}"
