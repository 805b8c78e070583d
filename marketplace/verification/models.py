"""This will keep validators, what they concluded, their scores, and the nonces they used."""

from uuid import uuid4

from django.db import models

from marketplace.machines.models import Machine
from protocol.validator import VerdictState


class Validator(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    #: ss58
    hotkey = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100)
    #: "ssh-ed25519 AAAA..."; empty: not registered yet
    ssh_public_key = models.CharField(max_length=500, blank=True, default="")
    #: False: nothing that it says counts any more
    admitted = models.BooleanField(default=True)
    admitted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class VerdictRecord(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    validator = models.ForeignKey(Validator, on_delete=models.PROTECT, related_name="verdicts")
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="verdicts")
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in VerdictState])
    #: protocol.validator.SignedVerdict as it was sent, so that anyone can check it again
    signed = models.JSONField()
    #: PBKDF2-SHA256 iterations per second of one CPU; None: this look measured nothing
    hash_rate_per_cpu = models.BigIntegerField(null=True, blank=True)
    checked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="verdict_once", fields=["validator", "machine", "checked_at"]
            )
        ]
        indexes = [
            models.Index(name="verdict_newest", fields=["machine", "-checked_at"]),
            models.Index(
                name="verdict_measured",
                fields=["machine", "-checked_at"],
                condition=models.Q(hash_rate_per_cpu__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} {self.state}"


class EpochScore(models.Model):
    """What one validator scored one machine in one epoch; a later report replaces it."""

    validator = models.ForeignKey(Validator, on_delete=models.PROTECT, related_name="scores")
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="scores")
    epoch = models.BigIntegerField()
    miner_hotkey = models.CharField(max_length=64, blank=True, default="")
    #: points in millionths
    points_micro = models.BigIntegerField()
    #: each factor in millionths, by name
    factors_ppm = models.JSONField()
    #: the signature over the report that it came in, with those of other machines
    signature = models.CharField(max_length=128)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="score_once_an_epoch", fields=["validator", "machine", "epoch"]
            )
        ]
        indexes = [models.Index(name="score_by_epoch", fields=["epoch", "machine"])]

    def __str__(self) -> str:
        return f"{self.machine_id} in {self.epoch}: {self.points_micro}"


class UsedNonce(models.Model):
    """A signed request that was already served, so that it can't be replayed."""

    hotkey = models.CharField(max_length=64)
    #: nanoseconds on the signer's clock
    nonce = models.BigIntegerField()
    used_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="nonce_once", fields=["hotkey", "nonce"])]

    def __str__(self) -> str:
        return f"{self.hotkey} {self.nonce}"
