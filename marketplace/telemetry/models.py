"""This will keep an hour of each machine's readings, what rentals used before it, and what went
wrong."""

from django.db import models

from marketplace.machines.models import Machine
from marketplace.placements.models import Placement
from protocol.usage import IncidentBlame, IncidentKind


class Reading(models.Model):
    """How a machine and its placements did in ten seconds of the last hour.

    The rows of a machine are a ring: a reading takes the place of the one an hour older, so there
    is nothing to prune and no machine, however eager, has more than one hour of them.
    """

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="readings")
    #: domain.usage.slot_of
    slot = models.PositiveSmallIntegerField()
    #: when it came
    at = models.DateTimeField()
    #: domain.usage.content_of
    content = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="reading_once_a_slot", fields=["machine", "slot"])
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} at {self.at}"


class UsageSummary(models.Model):
    """What a rental used in five minutes of the last day, or in an hour of the last 30 days."""

    #: the constraint below has its index
    placement = models.ForeignKey(
        Placement, on_delete=models.CASCADE, related_name="usage_summaries", db_index=False
    )
    #: seconds that it stands for: of domain.usage_summary.Span
    step_s = models.PositiveSmallIntegerField()
    #: when they began
    at = models.DateTimeField()
    #: domain.usage_summary.summed_up
    content = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="usage_summary_once", fields=["placement", "step_s", "at"])
        ]
        indexes = [models.Index(name="usage_summary_old", fields=["step_s", "at"])]

    def __str__(self) -> str:
        return f"{self.step_s} s of {self.placement_id} from {self.at}"


class Summed(models.Model):
    """How far the summaries of one length have come."""

    step_s = models.PositiveSmallIntegerField(primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.step_s} s until {self.until}"


class Incident(models.Model):
    """Something that went wrong, as the machine itself tells it: a hint, never a judgement."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="incidents")
    #: made by the machine
    incident_id = models.UUIDField()
    placement = models.ForeignKey(
        Placement, on_delete=models.CASCADE, related_name="incidents", null=True, blank=True
    )
    #: when it happened, as the machine says, and never after it was told
    at = models.DateTimeField()
    told_at = models.DateTimeField()
    kind = models.CharField(max_length=32, choices=[(k.value, k.value) for k in IncidentKind])
    blame = models.CharField(max_length=16, choices=[(b.value, b.value) for b in IncidentBlame])
    gpu_uuid = models.CharField(max_length=200, blank=True, default="")
    #: how often it happened in that moment
    count = models.PositiveIntegerField(default=1)
    sentence = models.CharField(max_length=300)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="incident_once", fields=["machine", "incident_id"])
        ]
        indexes = [
            models.Index(name="incident_of_machine", fields=["machine", "told_at"]),
            models.Index(name="incident_old", fields=["told_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.machine_id} at {self.at}"
