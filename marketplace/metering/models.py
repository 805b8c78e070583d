"""This will store what each machine signed and what was charged for it."""

import uuid

from django.conf import settings
from django.db import models

from marketplace.domain.metered import Priced
from marketplace.domain.upkeep import storage_cost, traffic_cost
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
    #: of the period that is counted now; earlier ones are folded into the next two
    price_hour_microusd = models.BigIntegerField()
    #: the proven milliseconds at which that period began
    priced_from_ms = models.BigIntegerField(default=0)
    #: what those cost
    priced_from_microusd = models.BigIntegerField(default=0)
    #: when the first of its price changes that wait takes hold; None: none waits
    next_price_at = models.DateTimeField(null=True)
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

    @property
    def priced(self) -> Priced:
        """Return the price of the period that is counted now, and what all before it cost."""
        return Priced(self.price_hour_microusd, self.priced_from_ms, self.priced_from_microusd)


class PriceChange(models.Model):
    """Another price of an hour for what a placement proves from a moment on.

    Seconds are proven later than they pass, so it waits until a stretch that is counted passes its
    moment. Only actions/change_price.py and counting.py write these.
    """

    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="price_changes")
    #: server time
    at = models.DateTimeField()
    price_hour_microusd = models.BigIntegerField()
    #: a stable code of who changed it
    reason = models.CharField(max_length=32)
    #: the proven milliseconds at which it took hold; None: it waits
    from_ms = models.BigIntegerField(null=True)
    #: the price before it; None: it waits
    former_price_hour_microusd = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_hour_microusd__gte=0), name="price_change_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(from_ms__isnull=True, former_price_hour_microusd__isnull=True)
                | models.Q(from_ms__isnull=False, former_price_hour_microusd__isnull=False),
                name="price_change_held_or_waits",
            ),
        ]
        indexes = [models.Index(fields=("meter", "at", "id"), name="price_change_order")]

    def __str__(self) -> str:
        return f"price change {self.pk} of {self.meter_id}"


class SideMeter(models.Model):
    """What a placement costs beside its time: its disk while it is stopped, and its traffic.

    It exists where its host charges for either, at the prices of its start.
    """

    meter = models.OneToOneField(Meter, on_delete=models.PROTECT, related_name="side")
    #: of a GB and 30 days
    storage_price_microusd = models.BigIntegerField()
    disk_bytes = models.BigIntegerField()
    #: milliseconds that count: stopped, with its machine in touch
    stored_ms = models.BigIntegerField(default=0)
    #: the server's time up to which that was looked at; None: it was never stopped
    stored_until = models.DateTimeField(null=True)
    #: of a GB, both ways together
    network_price_microusd = models.BigIntegerField()
    #: the most that its traffic may cost
    traffic_microusd_max = models.BigIntegerField()
    #: bytes that count, as its machine told; what is beyond the most costs nothing
    traffic_bytes = models.BigIntegerField(default=0)
    #: the newest reading that was looked at, its run, and how far the counters had come
    read_at = models.DateTimeField(null=True)
    read_run = models.BigIntegerField(default=0)
    read_bytes = models.BigIntegerField(default=0)
    storage_microusd = models.BigIntegerField(default=0)
    traffic_microusd = models.BigIntegerField(default=0)
    #: the marketplace's share of both
    fee_microusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(traffic_microusd__lte=models.F("traffic_microusd_max")),
                name="side_meter_traffic_within_most",
            ),
        ]

    def __str__(self) -> str:
        return f"side meter of {self.meter_id}"

    @property
    def storage_cost_microusd(self) -> int:
        """Return what its disk cost so far, charged or not."""
        return storage_cost(self.storage_price_microusd, self.disk_bytes, self.stored_ms)

    @property
    def traffic_cost_microusd(self) -> int:
        """Return what its traffic cost so far, charged or not."""
        cost = traffic_cost(self.network_price_microusd, self.traffic_bytes)
        return min(cost, self.traffic_microusd_max)


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
