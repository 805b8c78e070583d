"""This will keep endpoints, their replicas, and the gateways that lead callers to them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace.domain.endpoint import REPLICAS_MAX
from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement


class Endpoint(models.Model):
    """A program of a renter's that answers HTTP, on as many machines as are wanted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    renter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="endpoints"
    )
    name = models.CharField(max_length=63)
    #: protocol.workload.Workload of every replica; empty: it was deleted, and nothing of it runs
    workload = models.JSONField()
    #: protocol.agent.RegistryLogin, sealed, as a later replica needs it too; empty: nobody does
    registry_login = models.TextField(blank=True, default="")
    #: words in the name of the GPUs; empty: any
    gpu_model = models.CharField(max_length=100, blank=True, default="")
    #: how many replicas; zero: it is stopped
    wanted = models.PositiveSmallIntegerField()
    #: of one replica
    price_hour_microusd_max = models.BigIntegerField()
    #: of the key that callers show; the key itself is kept nowhere
    key_digest = models.CharField(max_length=64)
    key_prefix = models.CharField(max_length=16)
    #: who of a team was shown it; null: of no team, made before this was kept (nobody knows who
    #: knows it), or they left and its owners were told
    key_made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    #: whose spend limit its replicas count against; null: a person made it
    api_key = models.ForeignKey(
        "accounts.ApiKey", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    #: replicas in a row that failed
    failures = models.PositiveIntegerField(default=0)
    #: times in a row that it found no machine or no money
    waits = models.PositiveIntegerField(default=0)
    #: no replica is begun before; null: at once
    retry_at = models.DateTimeField(null=True, blank=True)
    #: why the newest replica failed or could not begin; empty: all is well
    problem_code = models.CharField(max_length=64, blank=True, default="")
    problem = models.CharField(max_length=1000, blank=True, default="")
    created_at = models.DateTimeField()
    #: null: it is there
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("renter", "name"),
                condition=Q(deleted_at__isnull=True),
                name="endpoint_name_once",
            ),
            models.CheckConstraint(
                condition=Q(wanted__lte=REPLICAS_MAX), name="endpoint_replicas_bounded"
            ),
        ]
        indexes = [
            models.Index(
                name="endpoint_there",
                fields=["created_at"],
                condition=Q(deleted_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"endpoint {self.name}"

    @property
    def wanted_now(self) -> int:
        """How many replicas there shall be now: none for an account that is closed."""
        return self.wanted if self.renter.is_active else 0


class Replica(models.Model):
    """One placement that answers for an endpoint."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="replicas")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="replicas")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="replica")
    meter = models.OneToOneField(Meter, on_delete=models.PROTECT, related_name="replica")
    #: the most that it can cost so far, held from the wallet
    worst_total_microusd = models.BigIntegerField()
    begun_at = models.DateTimeField()
    #: its end was taken into account; null: it goes on
    over_at = models.DateTimeField(null=True, blank=True)
    #: its renter wanted it off its machine, where no other of its endpoint begins since; null: no
    dismissed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                name="replica_going_on", fields=["endpoint"], condition=Q(over_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"replica {self.placement_id}"


class Gateway(models.Model):
    """A process that leads callers to replicas, by the key that machines let it in with."""

    #: "ssh-ed25519 AAAA..."
    public_key = models.CharField(max_length=200, unique=True)
    #: whose key it is: no other process's looks count; null: it ended
    process = models.UUIDField(null=True)
    registered_at = models.DateTimeField()
    #: machines are told of it until it was silent for a while
    seen_at = models.DateTimeField()
    #: when it last saw nothing at all, on any of several machines, or came after it was not there
    blind_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"gateway {self.public_key[-12:]}"
