"""This will keep jobs, and which files belong to whom; the bytes lie in storage.py's folder."""

import uuid

from django.conf import settings
from django.db import models

from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement


class Job(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    renter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="jobs"
    )
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="jobs")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="job")
    meter = models.OneToOneField(Meter, on_delete=models.PROTECT, related_name="job")
    #: from the start of its process, and the longest that it may cost
    run_limit = models.DurationField()
    #: the most that it can cost, held from the wallet
    worst_total_microusd = models.BigIntegerField()
    #: the same key and request return the same job
    idempotency_key = models.CharField(max_length=200)
    #: sha256 of the request that the key was first used with
    request_digest = models.CharField(max_length=64)
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("renter", "idempotency_key"), name="job_once_per_key")
        ]
        indexes = [models.Index(fields=("renter", "-started_at"), name="job_by_renter")]

    def __str__(self) -> str:
        return f"job {self.id}"


class Blob(models.Model):
    """A file that a renter uploaded, or that one of their jobs left. Its bytes are kept once."""

    renter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="blobs"
    )
    #: whose output it is; null: an upload
    placement = models.ForeignKey(
        Placement, on_delete=models.PROTECT, related_name="blobs", null=True, blank=True
    )
    #: sha256 in hex
    digest = models.CharField(max_length=64, db_index=True)
    size_bytes = models.BigIntegerField()
    stored_at = models.DateTimeField()
    #: it is forgotten then
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("renter", "digest"),
                condition=models.Q(placement=None),
                name="blob_uploaded_once",
            ),
            models.UniqueConstraint(
                fields=("placement", "digest"),
                condition=models.Q(placement__isnull=False),
                name="blob_left_once",
            ),
        ]

    def __str__(self) -> str:
        return f"blob {self.digest[:12]}"
