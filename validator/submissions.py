"""This will write down each attempt to set weights, before and after it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.core.management import call_command

from validator.chain.interface import Sent
from validator.domain.submission import Finding, OpenAttempt, Outcome
from validator.domain.weights import WeightPlan
from validator.models import WeightSubmission

#: older rows go: a timer each ten minutes writes some 50,000 a year
KEPT_DAYS = 90


def prepare() -> None:
    """Bring the validator's own database up to date; another's is left to its owner."""
    if getattr(settings, "VALIDATOR_OWNS_DATABASE", False):
        call_command("migrate", verbosity=0, interactive=False)


def under_way(subject: Mapping[str, object]) -> WeightSubmission | None:
    """Return the attempt of which nobody knows how it ended; None: there is none."""
    return WeightSubmission.objects.filter(**subject, settled_at__isnull=True).first()


def as_attempt(row: WeightSubmission) -> OpenAttempt:
    """Return what the chain is asked about it."""
    return OpenAttempt(
        block=row.block or 0,
        weights={int(uid): weight for uid, weight in row.weights.items()},
        dead_after_block=row.dead_after_block or 0,
    )


def begin(
    subject: Mapping[str, object],
    *,
    epoch: int,
    block: int,
    dead_after_block: int,
    plan: WeightPlan,
    now: datetime,
) -> WeightSubmission:
    """Write down what is about to be sent; once this returns, a kill loses nothing."""
    return WeightSubmission.objects.create(
        **subject,
        epoch=epoch,
        block=block,
        dead_after_block=dead_after_block,
        weights=plan.weight_by_uid,
        missing=list(plan.missing),
        started_at=now,
    )


def finish(row: WeightSubmission, sent: Sent, *, now: datetime) -> None:
    """Write down how it ended; an unknown end leaves it under way, for the next run to settle."""
    WeightSubmission.objects.filter(pk=row.pk).update(
        outcome=sent.outcome.value,
        detail=sent.detail,
        extrinsic_id=sent.extrinsic_id,
        reveal_round=sent.reveal_round,
        settled_at=None if sent.outcome is Outcome.UNKNOWN else now,
    )


def settle(row: WeightSubmission, finding: Finding, *, now: datetime) -> None:
    """Write down what the chain showed of an attempt that nobody saw end."""
    WeightSubmission.objects.filter(pk=row.pk, settled_at__isnull=True).update(
        outcome=finding.outcome.value, detail=finding.detail, settled_at=now
    )


def record(
    subject: Mapping[str, object],
    finding: Finding,
    *,
    epoch: int | None,
    block: int | None,
    now: datetime,
) -> None:
    """Write down an attempt that sent nothing, and forget the oldest ones."""
    WeightSubmission.objects.create(
        **subject,
        epoch=epoch,
        block=block,
        outcome=finding.outcome.value,
        detail=finding.detail,
        started_at=now,
        settled_at=now,
    )
    WeightSubmission.objects.filter(
        started_at__lt=now - timedelta(days=KEPT_DAYS), settled_at__isnull=False
    ).delete()
