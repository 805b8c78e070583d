"""This will store accounts, the transfers between them and the holds on renters' money."""

import uuid
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from marketplace.domain.ledger import NEVER_NEGATIVE, SHARED, AccountKind, TransferKind
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
                condition=Q(kind__in=(AccountKind.WALLET, AccountKind.EARNINGS)),
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
    """Money set aside from a wallet until it is charged or given back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="holds"
    )
    #: what is still held is this account's balance
    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="hold")
    cause = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created_at", "id")
        indexes = [
            models.Index(fields=("user",), condition=Q(released_at=None), name="hold_open_by_user")
        ]

    def __str__(self) -> str:
        return f"hold {self.cause}"
