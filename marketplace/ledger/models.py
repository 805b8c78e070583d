"""This will store accounts, the transfers between them and the holds on renters' money."""

import uuid
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from marketplace.domain.ledger import (
    NEVER_NEGATIVE,
    SHARED,
    SINGLE,
    AccountKind,
    HoldState,
    TransferKind,
)
from marketplace.domain.money import MicroUsd


class TransferImmutable(RuntimeError):
    """A transfer was about to be changed or removed; post one that goes back instead."""


class Account(models.Model):
    """A balance, kept as two counters that only grow."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in AccountKind])
    #: None for the site's own accounts
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="accounts"
    )
    #: micro-USD ever taken out
    debits_posted = models.BigIntegerField(default=0)
    #: micro-USD ever put in
    credits_posted = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.CheckConstraint(
                condition=Q(debits_posted__gte=0, credits_posted__gte=0),
                name="account_counters_count_up",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=NEVER_NEGATIVE) | Q(credits_posted__gte=F("debits_posted")),
                name="account_never_owes",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=SHARED, user=None)
                | (~Q(kind__in=SHARED) & Q(user__isnull=False)),
                name="account_owner_fits_kind",
            ),
            models.UniqueConstraint(
                fields=("user", "kind"),
                condition=Q(kind__in=SINGLE),
                name="account_one_per_person",
            ),
            models.UniqueConstraint(
                fields=("kind",), condition=Q(kind__in=SHARED), name="account_one_per_site"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def balance_microusd(self) -> MicroUsd:
        """Return what is in the account as of when this row was read."""
        return MicroUsd(self.credits_posted - self.debits_posted)


class TransferQuerySet(models.QuerySet["Transfer"]):
    """Reads and adds; it cannot change what was added."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse.

        :raises TransferImmutable: always.
        """
        raise TransferImmutable

    def delete(self) -> NoReturn:
        """Refuse.

        :raises TransferImmutable: always.
        """
        raise TransferImmutable


class Transfer(models.Model):
    """One immutable movement of money. Its pk rises in the order in which an account moved."""

    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="debits")
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="credits")
    amount_microusd = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in TransferKind])
    #: names what made it happen; a second transfer of the same cause cannot exist
    cause = models.CharField(max_length=200, unique=True)
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_microusd__gt=0), name="transfer_moves_something"
            ),
            models.CheckConstraint(
                condition=~Q(debit=F("credit")), name="transfer_between_two_accounts"
            ),
        ]
        indexes = [
            models.Index(fields=("debit", "id"), name="transfer_by_debit"),
            models.Index(fields=("credit", "id"), name="transfer_by_credit"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.cause}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; a row that is there already stays as it is.

        :raises TransferImmutable: when it was added before.
        """
        if not self._state.adding:
            raise TransferImmutable
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse.

        :raises TransferImmutable: always.
        """
        raise TransferImmutable


class Hold(models.Model):
    """Money set aside from a wallet, and credit before it, until it is charged or given back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="holds"
    )
    #: what is still held is this account's balance
    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="hold")
    cause = models.CharField(max_length=200, unique=True)
    #: whose spend limit it counts against; None: a person asked, not a program
    api_key = models.ForeignKey(
        "accounts.ApiKey", on_delete=models.SET_NULL, null=True, related_name="holds"
    )
    #: False: it takes money alone, as what is paid to its own owner would turn credit into money
    takes_credit = models.BooleanField(default=True)
    #: of what was charged, given back later: never into the hold, which was spent of that
    returned_microusd = models.BigIntegerField(default=0)
    #: of that, what the site gave by itself: the host kept their part, or no longer had it
    site_returned_microusd = models.BigIntegerField(default=0, db_default=0)
    state = models.CharField(
        max_length=8, choices=[(state, state) for state in HoldState], default=HoldState.PENDING
    )
    created_at = models.DateTimeField()
    #: what is left goes back then; None: it stays until somebody releases it, as a rental's does
    expires_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(state=HoldState.PENDING, released_at=None)
                | (~Q(state=HoldState.PENDING) & Q(released_at__isnull=False)),
                name="hold_pending_or_released",
            ),
            models.CheckConstraint(
                condition=Q(returned_microusd__gte=0), name="hold_returned_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(
                    site_returned_microusd__gte=0,
                    site_returned_microusd__lte=F("returned_microusd"),
                ),
                name="hold_returned_by_site_within",
            ),
        ]
        indexes = [
            models.Index(fields=("user",), condition=Q(released_at=None), name="hold_open_by_user"),
            models.Index(
                fields=("expires_at",),
                condition=Q(released_at=None, expires_at__isnull=False),
                name="hold_expiring",
            ),
        ]

    def __str__(self) -> str:
        return f"hold {self.cause}"


class CreditGrant(models.Model):
    """Credit that a person was given, until it ends."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="credit_grants"
    )
    amount_microusd = models.BigIntegerField()
    #: neither held, spent nor ended; a person's add up to their account of credit
    left_microusd = models.BigIntegerField()
    #: what went back to the site
    expired_microusd = models.BigIntegerField(default=0)
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    cause = models.CharField(max_length=200, unique=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("expires_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(left_microusd__gte=0, expired_microusd__gte=0)
                & Q(amount_microusd__gte=F("left_microusd") + F("expired_microusd")),
                name="credit_no_more_than_granted",
            )
        ]
        indexes = [
            models.Index(
                fields=("user", "expires_at"),
                condition=Q(left_microusd__gt=0),
                name="credit_left_by_user",
            ),
            models.Index(
                fields=("expires_at",), condition=Q(left_microusd__gt=0), name="credit_left"
            ),
        ]

    def __str__(self) -> str:
        return f"credit {self.cause}"


class HeldCredit(models.Model):
    """What one hold took of one grant."""

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="credit")
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, related_name="held")
    amount_microusd = models.BigIntegerField()
    #: of what was spent of it, given back later
    returned_microusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("hold", "grant"), name="held_credit_once"),
            models.CheckConstraint(condition=Q(amount_microusd__gt=0), name="held_credit_some"),
            models.CheckConstraint(
                condition=Q(returned_microusd__gte=0, returned_microusd__lte=F("amount_microusd")),
                name="held_credit_returned_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.grant_id} in {self.hold_id}"


class EarnedDay(models.Model):
    """What one machine earned its host on one day, counted where its transfers are posted.

    Whoever writes it holds the lock of the host's earnings: actions/count_earned.py.
    """

    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="earned_days"
    )
    #: of UTC
    day = models.DateField()
    #: zeros: it came from no machine
    machine_id = models.UUIDField()
    #: after the fee; what was given back later is not taken off
    earned_microusd = models.BigIntegerField(default=0)
    #: the site's part of what renters paid
    fee_microusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("host", "day", "machine_id"), name="earned_day_once"),
            models.CheckConstraint(
                condition=Q(earned_microusd__gte=0, fee_microusd__gte=0),
                name="earned_day_counts_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} of {self.machine_id}"


class AuditRun(models.Model):
    """One look at the whole ledger, and what was wrong then."""

    at = models.DateTimeField(db_index=True)
    #: sentences; none: all was well
    problems = models.JSONField(default=list)
    #: when an operator said that these problems stop no payout; None: nobody did
    cleared_at = models.DateTimeField(null=True)
    #: accounts and transfers that were there
    accounts = models.BigIntegerField()
    transfers = models.BigIntegerField()

    class Meta:
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {len(self.problems)} problems"
