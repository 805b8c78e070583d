"""This will keep renters' volumes, each of which reserves a part of its machine's disk."""

from uuid import uuid4

from django.conf import settings
from django.db import models

from marketplace.machines.models import Machine
from marketplace.placements.models import Placement

#: what a name may be: it is shown in tables and typed into shells
NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"


class Volume(models.Model):
    """A sized folder. It exists, and holds its disk, until its machine says that it is gone."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    renter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="volumes"
    )
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="volumes")
    name = models.CharField(max_length=63)
    size_bytes = models.BigIntegerField()
    #: the newest that was given it; it is in use while that holds anything. Null: none was
    placement = models.ForeignKey(
        Placement, on_delete=models.PROTECT, related_name="volumes", null=True
    )
    created_at = models.DateTimeField()
    #: the machine said that it is there; null: not yet
    ready_at = models.DateTimeField(null=True)
    #: why the machine could not make it; empty: it could, or has not said
    problem_code = models.CharField(max_length=64, blank=True, default="")
    problem = models.CharField(max_length=1000, blank=True, default="")
    #: its renter deleted it; null: it stays
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="volume_name_once_a_machine", fields=["renter", "machine", "name"]
            )
        ]

    def __str__(self) -> str:
        return f"volume {self.name} of {self.machine_id}"

    @property
    def state(self) -> str:
        """What its renter reads: making, ready, refused or deleting."""
        if self.removed_at is not None:
            return "deleting"
        if self.problem_code:
            return "refused"
        return "making" if self.ready_at is None else "ready"

    @property
    def in_use(self) -> bool:
        """Whether a placement has it, or may still have it."""
        return self.placement is not None and self.placement.freed_at is None
