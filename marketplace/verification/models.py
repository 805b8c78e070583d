"""This will keep validators, what they concluded and scored, and what came of it for machines."""

from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from protocol.validator import LookKind, VerdictState

#: of what a host writes in an appeal, and of what the operator answers
WORDS_MAX = 2000


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
    #: what its word weighs in the quorum; 0: it is published and decides nothing
    stake = models.BigIntegerField(default=1)
    #: when a verdict of it was taken last, to within an hour; None: none was
    spoke_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="stake_not_negative", condition=Q(stake__gte=0))]

    def __str__(self) -> str:
        return self.name


class VerdictRecord(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    validator = models.ForeignKey(Validator, on_delete=models.PROTECT, related_name="verdicts")
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="verdicts")
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in VerdictState])
    look = models.CharField(
        max_length=16, choices=[(k.value, k.value) for k in LookKind], default=LookKind.PERIODIC
    )
    #: the last word of this validator on this machine: one it took back counts no more
    newest = models.BooleanField(default=False)
    #: protocol.validator.SignedVerdict as it was sent, so that anyone can check it again
    signed = models.JSONField()
    #: of the canonical bytes of ``signed``, by which records of epochs name it
    sha256 = models.CharField(max_length=64, db_index=True, default="")
    #: protocol.validator.MeasuredLook; null: this look measured nothing
    measured = models.JSONField(null=True, blank=True)
    #: PBKDF2-SHA256 iterations per second of one CPU; None: this look measured nothing
    hash_rate_per_cpu = models.BigIntegerField(null=True, blank=True)
    #: 10^6 bytes a second to the machine and from it, as ``signed`` has them; None: not measured
    network_down_mb_s = models.BigIntegerField(null=True, blank=True)
    network_up_mb_s = models.BigIntegerField(null=True, blank=True)
    checked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="verdict_once", fields=["validator", "machine", "checked_at"]
            ),
            models.UniqueConstraint(
                name="verdict_newest_once",
                fields=["machine", "validator"],
                condition=Q(newest=True),
            ),
        ]
        indexes = [
            models.Index(name="verdict_newest", fields=["machine", "-checked_at"]),
            models.Index(
                name="verdict_measured",
                fields=["machine", "-checked_at"],
                condition=Q(hash_rate_per_cpu__isnull=False),
            ),
            models.Index(
                name="verdict_with_figures",
                fields=["machine", "-checked_at"],
                condition=Q(measured__isnull=False),
            ),
            models.Index(
                name="verdict_with_line",
                fields=["machine", "-checked_at"],
                condition=Q(network_up_mb_s__isnull=False),
            ),
            models.Index(
                name="verdict_verified",
                fields=["machine", "checked_at"],
                condition=Q(state=VerdictState.VERIFIED),
            ),
            models.Index(name="verdict_unexpired", fields=["expires_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} {self.state}"


class MachineStanding(models.Model):
    """What is noted of a machine beside the words that stand. A new machine has no row."""

    machine = models.OneToOneField(
        Machine, on_delete=models.CASCADE, primary_key=True, related_name="standing"
    )
    #: as it was noted last; the words decide, so a pass may have to catch up
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in StandingState])
    since = models.DateTimeField()
    #: None: not banned. Only a granted appeal takes it away, or staff who lift their own
    banned_at = models.DateTimeField(null=True, blank=True)
    #: what staff wrote to its host as they banned it; empty: validators did, or nobody
    ban_reason = models.CharField(max_length=500, blank=True, default="")
    #: no word spoken before it counts, and a proof since then is wanted; None: neither
    fresh_since = models.DateTimeField(null=True, blank=True)
    #: the machines that are to be proven in one instant with it; None: it was never like another
    together = models.UUIDField(null=True, blank=True)
    together_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.machine_id} {self.state}"


class StandingEvent(models.Model):
    """One change of what a machine stands as, or one step of an appeal; its host sees them."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="standing_events")
    at = models.DateTimeField()
    #: what the machine stands as from then on
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in StandingState])
    #: sentences for people
    text = models.CharField(max_length=WORDS_MAX + 200)

    class Meta:
        indexes = [
            models.Index(name="standing_events", fields=["machine", "-at", "-id"]),
            models.Index(name="standing_event_age", fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} {self.state} at {self.at}"


class MachineMark(models.Model):
    """Something that should be one machine's alone, and when a validator saw it last there."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="marks")
    #: "gpu", "machine_id", "board" or "address"
    kind = models.CharField(max_length=16)
    value = models.CharField(max_length=300)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="mark_once_a_machine", fields=["kind", "value", "machine"])
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} {self.kind} {self.value}"


class Appeal(models.Model):
    """A host's word against what its machine stands as, and the operator's answer."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="appeals")
    text = models.CharField(max_length=WORDS_MAX)
    made_at = models.DateTimeField()
    #: None: it is open
    answered_at = models.DateTimeField(null=True, blank=True)
    granted = models.BooleanField(default=False)
    answer = models.CharField(max_length=WORDS_MAX, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="appeal_open_once", fields=["machine"], condition=Q(answered_at=None)
            )
        ]
        indexes = [models.Index(name="appeal_newest", fields=["machine", "-made_at"])]

    def __str__(self) -> str:
        return f"{self.machine_id} at {self.made_at}"


class ClosedEpoch(models.Model):
    """The record that an epoch's scores are computed from; never changed once it is here."""

    epoch = models.BigIntegerField(primary_key=True)
    #: the canonical bytes of protocol.validator.EpochRecord, packed by zlib
    packed = models.BinaryField()
    #: of the canonical bytes
    sha256 = models.CharField(max_length=64)
    machines = models.PositiveIntegerField()
    closed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.epoch} {self.sha256[:12]}"


class SignedReport(models.Model):
    """A report on a closed epoch as its validator signed it, so that anyone can check it again."""

    id = models.BigAutoField(primary_key=True)
    validator = models.ForeignKey(Validator, on_delete=models.PROTECT, related_name="reports")
    closed_epoch = models.ForeignKey(ClosedEpoch, on_delete=models.PROTECT, related_name="reports")
    #: protocol.validator.SignedScoreReport, packed by zlib
    packed = models.BinaryField()
    #: of its canonical bytes without the signature: the same report again is kept once
    report_sha256 = models.CharField(max_length=64)
    machines = models.PositiveIntegerField()
    points_micro = models.BigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="report_once", fields=["closed_epoch", "validator", "report_sha256"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.validator_id} on {self.closed_epoch_id}"


class EpochScore(models.Model):
    """What one validator scored one machine in one epoch; a later report replaces it."""

    validator = models.ForeignKey(Validator, on_delete=models.PROTECT, related_name="scores")
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="scores")
    epoch = models.BigIntegerField()
    miner_hotkey = models.CharField(max_length=64, blank=True, default="")
    #: points in millionths
    points_micro = models.BigIntegerField()
    #: of its jobs, a part of the work that points pay for
    jobs_micro = models.BigIntegerField(default=0)
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
        indexes = [
            models.Index(name="score_by_epoch", fields=["epoch", "machine"]),
            models.Index(
                name="score_best_first", fields=["epoch", "validator", "-points_micro", "machine"]
            ),
        ]

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
