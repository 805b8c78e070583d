"""This will keep placements, the GPUs they hold, and everything that happened to them."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.domain.door import Door
from marketplace.domain.matching import Slice
from marketplace.domain.money import PPM
from marketplace.domain.placement import FUNDED, LIVE, Blame, PlacementState
from marketplace.machines.models import Machine
from protocol.agent import Want
from protocol.workload import PlacementKind

#: live states that may be without GPUs, CPUs and memory
HELD_BACK = (PlacementState.STOPPED, PlacementState.COLLECTING)


class Placement(models.Model):
    """One workload on one machine. Only actions/transition.py assigns a state."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="placements")
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in PlacementKind])
    state = models.CharField(
        max_length=16,
        choices=[(s.value, s.value) for s in PlacementState],
        default=PlacementState.OFFERED,
    )
    want = models.CharField(max_length=8, choices=[(w.value, w.value) for w in Want])
    #: protocol.agent.Workload
    workload = models.JSONField()
    #: public key lines that may log in
    authorized_keys = models.JSONField(default=list)
    #: lines that may log in for a moment beside these: of terminals in browsers
    guest_keys = models.JSONField(default=list)
    cpus = models.IntegerField()
    memory_bytes = models.BigIntegerField()
    disk_bytes = models.BigIntegerField()
    gpus = models.PositiveIntegerField(default=0)
    #: what an hour of it bids; null: nobody outbids it
    bid_hour_microusd = models.BigIntegerField(null=True, blank=True)
    #: how much of that is paid, in millionths: a proof showed that less is delivered. It ranks so
    bid_paid_ppm = models.PositiveIntegerField(default=PPM)
    #: it was outbid, and stops then unless its bid wins again before; null: it has no notice
    outbid_stop_at = models.DateTimeField(null=True, blank=True)
    #: it is stopped until its bid wins, which is looked at then; null: nothing starts it by itself
    resume_due_at = models.DateTimeField(null=True, blank=True)
    #: its GPUs, CPUs and memory are taken or promised; False: stopped, and only its disk is
    holds_compute = models.BooleanField(default=True)
    #: a machine that has not heard of this revision says nothing about its newest stop or start
    stop_revision = models.BigIntegerField(default=0)
    #: how often it ran anew after a stop: then it has files to lose
    starts = models.PositiveIntegerField(default=0)
    #: these three are protocol.agent.DesiredPlacement
    edition = models.PositiveIntegerField(default=0)
    restarts = models.PositiveIntegerField(default=0)
    resets = models.PositiveIntegerField(default=0)
    #: the highest number that a workload of it ever had
    newest_edition = models.PositiveIntegerField(default=0)
    #: what runs until the newest edition does; null: no change is under way
    former_workload = models.JSONField(null=True, blank=True)
    former_edition = models.PositiveIntegerField(default=0)
    #: why the newest change could not be made; empty: it was, or there was none
    change_code = models.CharField(max_length=64, blank=True, default="")
    change_reason = models.CharField(max_length=1000, blank=True, default="")
    #: protocol.agent.RegistryLogin, encrypted (registry_login.py); empty: nobody needs one any more
    registry_login = models.TextField(blank=True, default="")
    #: protocol.agent.PublishedPort, as the machine told
    ports = models.JSONField(default=list)
    #: which GPUs it got, kept after its leases are gone
    gpu_uuids = models.JSONField(default=list)
    #: the machine ends it by itself then
    funded_until = models.DateTimeField()
    #: the machine stops it by itself then, its files kept; as of when it was last paid for, and it
    #: may be later where not all that passed cost something. null: it may run to its end
    paid_until = models.DateTimeField(null=True, blank=True)
    #: late after this; None: it ended
    deadline_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    running_at = models.DateTimeField(null=True, blank=True)
    #: its SSH door was seen from outside, with the right host key
    reachable_at = models.DateTimeField(null=True, blank=True)
    #: these four are domain.door.Door; null: its door was never seen
    door_open_since = models.DateTimeField(null=True, blank=True)
    door_seen_at = models.DateTimeField(null=True, blank=True)
    door_missed_at = models.DateTimeField(null=True, blank=True)
    door_looks = models.PositiveBigIntegerField(default=0)
    #: when its door is tried or looked at again while it runs; null: it was never tried
    look_due_at = models.DateTimeField(null=True, blank=True)
    #: when its stop or its end was asked for: no second after it counts; null: it runs or will
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    #: the machine said that nothing is left of it
    gone_at = models.DateTimeField(null=True, blank=True)
    #: its leases and resources went back, which happens once
    freed_at = models.DateTimeField(null=True, blank=True)
    blame = models.CharField(
        max_length=16, choices=[(b.value, b.value) for b in Blame], blank=True, default=""
    )
    reason_code = models.CharField(max_length=64, blank=True, default="")
    reason = models.CharField(max_length=1000, blank=True, default="")
    progress = models.CharField(max_length=200, blank=True, default="")
    ssh_host = models.CharField(max_length=253, blank=True, default="")
    ssh_port = models.PositiveIntegerField(null=True, blank=True)
    ssh_host_key = models.CharField(max_length=500, blank=True, default="")
    #: of a job's process; null: it did not exit by itself, or not yet
    exit_code = models.IntegerField(null=True, blank=True)
    #: protocol.workload.JobFile: what a job left
    outputs = models.JSONField(default=list)
    #: rises each time its container starts
    run = models.IntegerField(default=0)
    #: the interval sequence expected next: everything below is stored
    next_sequence = models.BigIntegerField(default=0)
    #: protocol.agent.RefusedInterval; null: none was refused since the newest that is stored
    refused_interval = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="placement_live_has_deadline",
                condition=Q(state__in=LIVE, deadline_at__isnull=False, ended_at__isnull=True)
                | (~Q(state__in=LIVE) & Q(deadline_at__isnull=True) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="placement_live_holds", condition=~Q(state__in=LIVE) | Q(freed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="placement_without_compute_is_stopped",
                condition=Q(holds_compute=True) | ~Q(state__in=LIVE) | Q(state__in=HELD_BACK),
            ),
            models.CheckConstraint(
                name="placement_outbid_bids",
                condition=Q(bid_hour_microusd__isnull=False)
                | Q(outbid_stop_at__isnull=True, resume_due_at__isnull=True),
            ),
            models.CheckConstraint(
                name="placement_live_is_not_gone",
                condition=~Q(state__in=LIVE) | Q(gone_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                name="placement_late",
                fields=["deadline_at"],
                condition=Q(deadline_at__isnull=False),
            ),
            models.Index(
                name="placement_not_gone", fields=["machine"], condition=Q(gone_at__isnull=True)
            ),
            models.Index(
                name="placement_not_freed",
                fields=["ended_at"],
                condition=Q(freed_at__isnull=True, ended_at__isnull=False),
            ),
            models.Index(
                name="placement_refused",
                fields=["ended_at"],
                condition=Q(state=PlacementState.REFUSED, blame=Blame.MACHINE),
            ),
            models.Index(
                name="placement_not_reachable",
                fields=["running_at"],
                condition=Q(state=PlacementState.RUNNING, reachable_at__isnull=True),
            ),
            models.Index(
                name="placement_paid_out",
                fields=["funded_until"],
                condition=Q(state__in=FUNDED),
            ),
            models.Index(
                name="placement_waits",
                fields=["machine"],
                condition=Q(state=PlacementState.WAITING),
            ),
            models.Index(
                name="placement_outbid",
                fields=["outbid_stop_at"],
                condition=Q(outbid_stop_at__isnull=False),
            ),
            models.Index(
                name="placement_resumes",
                fields=["resume_due_at"],
                condition=Q(resume_due_at__isnull=False),
            ),
            models.Index(
                name="placement_look_due",
                fields=["look_due_at"],
                condition=Q(state=PlacementState.RUNNING, look_due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.id)[:8]} {self.state}"

    def is_paid(self, now: datetime) -> bool:
        """Whether somebody pays for it now, if it runs."""
        ends = (self.funded_until, self.paid_until)
        return all(end is None or end > now for end in ends)

    @property
    def held(self) -> Slice:
        """Return what it takes of its machine while it runs, but for its disk."""
        return Slice(cpus=self.cpus, memory_bytes=self.memory_bytes, disk_bytes=0, gpus=self.gpus)

    @property
    def rented(self) -> Slice:
        """Return all that it was rented with, by which it is priced."""
        return replace(self.held, disk_bytes=self.disk_bytes)

    @property
    def is_interruptible(self) -> bool:
        """Whether others may outbid it."""
        return self.bid_hour_microusd is not None

    @property
    def is_untold(self) -> bool:
        """Whether its machine never heard of it, and so has nothing of it."""
        return self.state == PlacementState.WAITING and not self.starts

    @property
    def awaits_door(self) -> bool:
        """Whether it has an SSH door that nobody saw from outside yet."""
        return self.kind == PlacementKind.RENTAL and self.reachable_at is None

    @property
    def door(self) -> Door | None:
        """What looks from outside told of its SSH door; None: it was never seen."""
        if self.door_open_since is None or self.door_seen_at is None:
            return None
        return Door(
            open_since=self.door_open_since,
            seen_at=self.door_seen_at,
            missed_at=self.door_missed_at,
            looks=self.door_looks,
        )


class Lease(models.Model):
    """Exists exactly while a GPU, or what is offered as one, belongs to a placement."""

    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="leases")
    placement = models.ForeignKey(Placement, on_delete=models.PROTECT, related_name="leases")
    gpu_uuid = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="gpu_leased_once", fields=["machine", "gpu_uuid"])
        ]

    def __str__(self) -> str:
        return self.gpu_uuid


class PlacementEvent(models.Model):
    """One change of one placement's state."""

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    #: domain.placement.Event, "place" for its beginning, "seen" for the first look that saw a run
    #: answer (actions/unseen.py), or "stuck" (actions/sweep.py)
    event = models.CharField(max_length=16)
    #: empty: it did not exist before
    old_state = models.CharField(max_length=16, blank=True, default="")
    new_state = models.CharField(max_length=16)
    reason_code = models.CharField(max_length=64, blank=True, default="")
    #: for how long a run that was seen or ended now had not been seen to answer (actions/unseen.py)
    unseen_s = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [models.Index(name="placement_event_order", fields=["placement", "at"])]

    def __str__(self) -> str:
        return f"{self.placement_id} {self.old_state} -> {self.new_state}"


class DoorShut(models.Model):
    """A time in which an SSH door was not seen open, after it had been: no second of it counts."""

    placement = models.ForeignKey(
        Placement, on_delete=models.CASCADE, related_name="door_shut_times"
    )
    #: the last good look before the first miss
    since = models.DateTimeField()
    #: the next good one; None: there was none
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="door_shut_once", fields=["placement"], condition=Q(until=None)
            )
        ]
        indexes = [models.Index(name="door_shut_order", fields=["placement", "since"])]

    def __str__(self) -> str:
        return f"door of {self.placement_id} shut since {self.since}"
