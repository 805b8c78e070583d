"""This will keep every attempt to set weights: what was asked for, and how it ended."""

from django.db import models
from django.db.models import Q


class WeightSubmission(models.Model):
    """One attempt, written before anything is sent."""

    #: outcome of an attempt that is under way, or whose process was killed
    SENDING = "sending"

    network = models.CharField(max_length=200)
    netuid = models.PositiveIntegerField()
    #: ss58 of the validator
    hotkey = models.CharField(max_length=64)
    #: number of the epoch whose scores these are; None: the marketplace gave none
    epoch = models.BigIntegerField(null=True)
    #: validator.domain.submission.Outcome, or ``SENDING``
    outcome = models.CharField(max_length=16, default=SENDING)
    detail = models.TextField(blank=True, default="")
    started_at = models.DateTimeField()
    #: None: not known how it ended; the next run reads the chain before it sends
    settled_at = models.DateTimeField(null=True, blank=True)
    #: at which hotkeys became uids; None: the chain was not reached
    block = models.BigIntegerField(null=True)
    #: after it the chain no longer takes the transaction in; None: nothing was sent
    dead_after_block = models.BigIntegerField(null=True)
    #: {uid: u16} as asked for
    weights = models.JSONField(default=dict)
    #: hotkeys that scored and were not on the subnet
    missing = models.JSONField(default=list)
    #: "block-index" on chain
    extrinsic_id = models.CharField(max_length=40, blank=True, default="")
    #: of drand, at which the chain reveals them; None: not a commit, or not known
    reveal_round = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            # Two processes that both found nothing under way: the second one's INSERT fails.
            models.UniqueConstraint(
                name="weights_one_under_way",
                fields=["network", "netuid", "hotkey"],
                condition=Q(settled_at__isnull=True),
            )
        ]
        indexes = [models.Index(name="weights_started", fields=["started_at"])]

    def __str__(self) -> str:
        return f"{self.outcome} {self.network}/{self.netuid} {self.started_at:%Y-%m-%d %H:%M}"
