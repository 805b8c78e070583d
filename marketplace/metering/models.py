"""This will store what each machine signed and what was charged for it."""

import uuid

from django.conf import settings
from django.db import models

from marketplace.ledger.models import Hold
from marketplace.placements.models import Placement


class Meter(models.Model):
    """What one placement costs whose hold, which host earns it, and how far that has come."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="meter")
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="meters_earned"
    )
    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, related_name="meter")
    price_hour_microusd = models.BigIntegerField()
    #: the marketplace's share of each charge, in millionths
    fee_ppm = models.PositiveIntegerField()
    #: milliseconds of all stored intervals, whether they count or not
    signed_ms = models.BigIntegerField(default=0)
    #: milliseconds that count: signed, inside the lease and after the door answered
    proven_ms = models.BigIntegerField(default=0)
    #: the most milliseconds that ever count; None: the funded time is the bound
    proven_ms_max = models.BigIntegerField(null=True)
    #: the server's time up to which seconds were counted; None: nothing yet
    proven_until = models.DateTimeField(null=True)
    #: the newest run whose age was told with an interval, and the server's time when that was 0
    run = models.BigIntegerField(default=0)
    run_started_at = models.DateTimeField(null=True)
    #: [from, to] of runs that are over, which no look has proven yet
    waiting = models.JSONField(default=list)
    charged_ms = models.BigIntegerField(default=0)
    #: the server's time up to which counted seconds were charged; None: none was
    charged_until = models.DateTimeField(null=True)
    charged_microusd = models.BigIntegerField(default=0)
    fee_microusd = models.BigIntegerField(default=0)
    opened_at = models.DateTimeField()
    #: set once the placement ended, the last charge is posted and the rest of the hold returned
    closed_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(charged_ms__lte=models.F("proven_ms")),
                name="meter_charges_only_proven",
            ),
            models.CheckConstraint(
                condition=models.Q(fee_microusd__lte=models.F("charged_microusd")),
                name="meter_fee_within_charge",
            ),
        ]

    def __str__(self) -> str:
        return f"meter of {self.placement_id}"


class SignedIntervalRow(models.Model):
    """One interval as the machine signed it, and the part of it that counts."""

    id = models.BigAutoField(primary_key=True)
    placement = models.ForeignKey(Placement, on_delete=models.PROTECT, related_name="intervals")
    sequence = models.PositiveIntegerField()
    #: protocol.receipts.SignedInterval as JSON
    signed = models.JSONField()
    #: the age since which the machine signed for this run without a gap
    unbroken_from_age_ms = models.BigIntegerField()
    received_at = models.DateTimeField()
    #: server times; None: nothing of it counts
    billable_from = models.DateTimeField(null=True)
    billable_to = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("placement", "sequence"), name="interval_once_per_sequence"
            ),
            models.CheckConstraint(
                condition=models.Q(billable_from__isnull=True, billable_to__isnull=True)
                | models.Q(billable_from__lt=models.F("billable_to")),
                name="interval_billable_forward",
            ),
        ]
        indexes = [
            models.Index(
                name="interval_counted",
                fields=["billable_to"],
                condition=models.Q(billable_to__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"interval {self.sequence} of {self.placement_id}"
