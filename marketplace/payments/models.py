"""This will store every attempt to pay money in."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q


class TopUpState(StrEnum):
    """How far a payment got."""

    PENDING = "pending"
    PAID = "paid"
    REFUSED = "refused"


class TopUp(models.Model):
    """Money that a person wants to add to their wallet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="top_ups"
    )
    amount_microusd = models.BigIntegerField()
    state = models.CharField(
        max_length=8,
        choices=[(state, state) for state in TopUpState],
        default=TopUpState.PENDING,
    )
    #: which gateway was asked
    gateway = models.CharField(max_length=20)
    #: the gateway's own name for the payment, empty until it answered
    reference = models.CharField(max_length=200, blank=True)
    #: the gateway's sentence when it refused
    reason = models.CharField(max_length=200, blank=True)
    #: whoever asks again with the same cause gets this row
    cause = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "id")
        constraints = [
            models.CheckConstraint(condition=Q(amount_microusd__gt=0), name="top_up_adds_something")
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.cause}"
