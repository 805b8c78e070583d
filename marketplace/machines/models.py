"""This will keep machines, their GPUs, their counted uptime and the tokens that enrol them."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from marketplace.domain.matching import Slice
from protocol.agent import SENTENCE_MOST


class Machine(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="machines"
    )
    #: raw ed25519 public key in hex: the machine's identity and its SSH host key
    machine_key = models.CharField(max_length=64, unique=True)
    address = models.CharField(max_length=253)
    control_port = models.PositiveIntegerField()
    port_first = models.PositiveIntegerField()
    port_last = models.PositiveIntegerField()
    #: how many of them placements may get, in all, as last told
    ports_total = models.PositiveIntegerField(default=0)
    #: ss58 of the newest binding's hotkey, which earns for it; empty: the host is not on chain
    miner_hotkey = models.CharField(max_length=64, blank=True, default="")
    agent_version = models.CharField(max_length=40)
    boot_id = models.CharField(max_length=200, blank=True, default="")
    #: protocol.hardware.Hardware as last told: a claim, never a proof
    hardware = models.JSONField()
    cpu_model = models.CharField(max_length=200, blank=True, default="")
    #: empty: no GPU
    gpu_model = models.CharField(max_length=200, blank=True, default="")
    #: of its smallest GPU
    vram_bytes = models.BigIntegerField(default=0)
    # Free is total less what placements hold or were promised. It may fall below zero while some
    # are outbid for it, or when a machine comes back smaller than it was; then nothing more fits
    # until enough was given back.
    cpus_total = models.IntegerField()
    cpus_free = models.IntegerField()
    memory_bytes_total = models.BigIntegerField()
    memory_bytes_free = models.BigIntegerField()
    disk_bytes_total = models.BigIntegerField()
    disk_bytes_free = models.BigIntegerField()
    gpus_total = models.IntegerField(default=0)
    gpus_free = models.IntegerField(default=0)
    # How much of what is taken goes back within minutes when an on-demand renter asks for it.
    cpus_interruptible = models.IntegerField(default=0)
    memory_bytes_interruptible = models.BigIntegerField(default=0)
    gpus_interruptible = models.IntegerField(default=0)
    online = models.BooleanField(default=False)
    #: why it can start nothing, as its agent said when it was last heard; empty: it can
    problem = models.CharField(max_length=SENTENCE_MOST, blank=True, default="", db_default="")
    enrolled_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    #: by its own clock, when it sent what it last said: nothing sent earlier is taken again
    sent_at_ms = models.BigIntegerField(default=0)
    #: uptime is written down up to here
    uptime_counted_at = models.DateTimeField()
    #: rises with every change of what is desired on this machine
    desired_revision = models.BigIntegerField(default=1)
    #: when it rose last, by the database's clock
    desired_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="machine_free_within_total",
                condition=Q(cpus_free__lte=F("cpus_total"))
                & Q(memory_bytes_free__lte=F("memory_bytes_total"))
                & Q(disk_bytes_free__lte=F("disk_bytes_total"))
                & Q(gpus_free__lte=F("gpus_total")),
            )
        ]
        indexes = [
            models.Index(name="machine_silent", fields=["last_seen_at"], condition=Q(online=True)),
            models.Index(name="machine_desired", fields=["desired_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.address} ({str(self.id)[:8]})"

    @property
    def total(self) -> Slice:
        """Return all that it has."""
        return Slice(
            cpus=self.cpus_total,
            memory_bytes=self.memory_bytes_total,
            disk_bytes=self.disk_bytes_total,
            gpus=self.gpus_total,
        )

    @property
    def free(self) -> Slice:
        """Return what nobody has rented."""
        return Slice(
            cpus=self.cpus_free,
            memory_bytes=self.memory_bytes_free,
            disk_bytes=self.disk_bytes_free,
            gpus=self.gpus_free,
        )

    @property
    def open(self) -> Slice:
        """Return what an on-demand renter may have: what is free, and what would be outbid."""
        interruptible = Slice(
            cpus=self.cpus_interruptible,
            memory_bytes=self.memory_bytes_interruptible,
            disk_bytes=0,
            gpus=self.gpus_interruptible,
        )
        return self.free.with_bids(interruptible)


class Gpu(models.Model):
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="gpus")
    uuid = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    vram_bytes = models.BigIntegerField()
    #: when a proof of it passed last; None: never
    proven_at = models.DateTimeField(null=True, blank=True)
    #: SHA-256 of the signed verdict that says so; empty: none does
    proven_by = models.CharField(max_length=64, blank=True, default="")
    #: uuid of another GPU -> the verdict that proved both at once: its SHA-256, its time in ms, and
    #: how many cards it proved
    together = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="gpu_once_a_machine", fields=["machine", "uuid"])
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.uuid}"


class HotkeyBinding(models.Model):
    """A hotkey agreed to earn for a machine; the newest one does. Never changed."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="hotkey_bindings")
    #: who handed it in
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="hotkey_bindings"
    )
    #: ss58
    hotkey = models.CharField(max_length=64)
    #: protocol.hotkey_consent.HotkeyConsent.text() as it was signed
    text = models.TextField()
    #: sr25519, in hex
    signature = models.CharField(max_length=128)
    #: the time in the text: a machine takes only newer ones
    signed_at = models.DateTimeField()
    bound_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="consent_once_a_machine", fields=["machine", "signed_at"])
        ]

    def __str__(self) -> str:
        return f"{self.hotkey} for {self.machine_id} since {self.bound_at:%Y-%m-%d %H:%M}"


class UptimeDay(models.Model):
    """How long a machine was there on one day (UTC)."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="uptime_days")
    day = models.DateField()
    up_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(name="uptime_once_a_day", fields=["machine", "day"])]

    def __str__(self) -> str:
        return f"{self.machine_id} {self.day}: {self.up_ms} ms"


class EnrolmentToken(models.Model):
    """Lets one machine become its host's. Only the hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrolment_tokens"
    )
    token_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    #: None: not used yet
    used_at = models.DateTimeField(null=True, blank=True)
    #: the key that used it may ask again, as its first reply may have been lost
    used_by_key = models.CharField(max_length=64, blank=True, default="")

    def __str__(self) -> str:
        return f"token of {self.host_id} until {self.expires_at:%Y-%m-%d %H:%M}"


class Attendance(models.Model):
    """When one part of the marketplace was last there, so that others don't pay for its absence."""

    #: a pass of the schedule, or "site": the servers that hear the machines
    name = models.CharField(max_length=32, primary_key=True)
    seen_at = models.DateTimeField()
    #: when it came back from its newest absence; None: it was never away
    back_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.seen_at}"
