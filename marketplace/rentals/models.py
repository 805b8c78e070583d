"""This will store what a renter agreed to; what became of it is the placement's and meter's."""

import uuid

from django.conf import settings
from django.db import models

from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement


class Rental(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    renter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="rentals"
    )
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="rentals")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="rental")
    meter = models.OneToOneField(Meter, on_delete=models.PROTECT, related_name="rental")
    #: None: bounded by the dollar cap alone
    lease_s = models.PositiveIntegerField(null=True)
    #: None: bounded by the lease alone
    cap_microusd = models.BigIntegerField(null=True)
    #: the most that it can cost, held from the wallet
    worst_total_microusd = models.BigIntegerField()
    #: the same key and request return the same rental
    idempotency_key = models.CharField(max_length=200)
    #: sha256 of the request that the key was first used with
    request_digest = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    #: the renter took it off their list
    forgotten_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("renter", "idempotency_key"), name="rental_once_per_key"
            ),
            models.CheckConstraint(
                condition=models.Q(lease_s__isnull=False) | models.Q(cap_microusd__isnull=False),
                name="rental_has_a_limit",
            ),
        ]
        indexes = [models.Index(fields=("renter", "-started_at"), name="rental_by_renter")]

    def __str__(self) -> str:
        return f"rental {self.id}"


class Extension(models.Model):
    """Higher limits that a renter asked for once."""

    rental = models.ForeignKey(Rental, on_delete=models.PROTECT, related_name="extensions")
    #: the same key and request extend once
    idempotency_key = models.CharField(max_length=200)
    #: sha256 of the request that the key was first used with
    request_digest = models.CharField(max_length=64)
    #: the limits from then on, as in Rental
    lease_s = models.PositiveIntegerField(null=True)
    cap_microusd = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("rental", "idempotency_key"), name="extension_once_per_key"
            )
        ]

    def __str__(self) -> str:
        return f"extension {self.pk} of {self.rental_id}"
