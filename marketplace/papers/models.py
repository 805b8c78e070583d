"""This will store papers as they were issued, their numbers, and to whom they are made out."""

import uuid
from enum import StrEnum
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace.payments.models import TopUp


class PaperImmutable(RuntimeError):
    """A paper was about to be changed or removed; issue one that corrects it."""


class PaperKind(StrEnum):
    """What a paper is; each kind has numbers of its own."""

    #: what one person used in one month
    INVOICE = "invoice"
    #: a payment that arrived
    RECEIPT = "receipt"
    #: takes a whole invoice back
    CREDIT_NOTE = "credit_note"


class BillingDetails(models.Model):
    """To whom a person's next papers are made out, and how far their months are invoiced."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="billing", primary_key=True
    )
    name = models.CharField(max_length=120, blank=True)
    address = models.CharField(max_length=300, blank=True)
    #: ISO 3166-1 alpha-2
    country = models.CharField(max_length=2, blank=True)
    vat_id = models.CharField(max_length=20, blank=True)
    #: the first moment of the first month that was not looked at; None: none was
    next_month = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user_id}"


class Series(models.Model):
    """The last number of one kind of paper. Its row is locked until the paper is written."""

    kind = models.CharField(
        max_length=12, primary_key=True, choices=[(kind, kind) for kind in PaperKind]
    )
    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind} {self.last}"


class PaperQuerySet(models.QuerySet["Paper"]):
    """Reads and adds; it cannot change what was added."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse.

        :raises PaperImmutable: always.
        """
        raise PaperImmutable

    def delete(self) -> NoReturn:
        """Refuse.

        :raises PaperImmutable: always.
        """
        raise PaperImmutable


class Paper(models.Model):
    """One paper, whole, as it was issued."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="papers"
    )
    kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in PaperKind])
    #: within its kind: 1, 2, 3 and so on
    serial = models.PositiveBigIntegerField()
    #: of an invoice: the first moment of its month
    month = models.DateTimeField(null=True)
    #: of an invoice: 1, or one more than the invoice of the month that was taken back
    edition = models.PositiveIntegerField(default=1)
    #: of a receipt
    top_up = models.OneToOneField(
        TopUp, on_delete=models.PROTECT, null=True, related_name="receipt"
    )
    #: of a credit note: the invoice that it takes back
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="corrected_by"
    )
    total_microusd = models.BigIntegerField()
    #: marketplace.papers.content.Content as JSON
    content = models.JSONField()
    issued_at = models.DateTimeField()

    objects = PaperQuerySet.as_manager()

    class Meta:
        ordering = ("-issued_at", "kind", "-serial")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=("kind", "serial"), name="paper_one_per_number"),
            models.UniqueConstraint(
                fields=("user", "month", "edition"),
                condition=Q(kind=PaperKind.INVOICE),
                name="paper_one_invoice_a_month",
            ),
            models.CheckConstraint(
                condition=Q(kind=PaperKind.INVOICE, month__isnull=False, top_up=None, corrects=None)
                | Q(kind=PaperKind.RECEIPT, month=None, top_up__isnull=False, corrects=None)
                | Q(kind=PaperKind.CREDIT_NOTE, month=None, top_up=None, corrects__isnull=False),
                name="paper_fits_its_kind",
            ),
        ]
        indexes = [models.Index(fields=("user", "-issued_at"), name="paper_by_user")]

    def __str__(self) -> str:
        return self.number

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; a row that is there already stays as it is.

        :raises PaperImmutable: when it was added before.
        """
        if not self._state.adding:
            raise PaperImmutable
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse.

        :raises PaperImmutable: always.
        """
        raise PaperImmutable

    @property
    def number(self) -> str:
        """Return the number as people write it: ``INV-000017``."""
        return f"{PREFIXES[PaperKind(self.kind)]}-{self.serial:06d}"


PREFIXES = {
    PaperKind.INVOICE: "INV",
    PaperKind.RECEIPT: "RCT",
    PaperKind.CREDIT_NOTE: "CRN",
}
