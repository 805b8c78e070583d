"""This will forget what validators said and scored long ago, but for what still counts."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from marketplace.machines.models import Gpu
from marketplace.verification.epochs import epoch_at
from marketplace.verification.models import ClosedEpoch, EpochScore, SignedReport, VerdictRecord
from protocol.validator import VerdictState

#: records of epochs, and scores
KEPT = timedelta(days=30)
#: A record may name measurements that were as old. A validator that looks at a machine every ten
#: minutes says some 9,000 words about it meanwhile.
WORDS_KEPT = 2 * KEPT
#: of each kind in one pass, so that no other waits for it: three million a day
AT_ONCE = 1000


def forget(*, now: datetime) -> int:
    """Return how many rows are gone; the next pass goes on."""
    over = epoch_at(now - KEPT)
    return (
        _some(_verdicts(now).order_by("expires_at", "id"))
        + _some(EpochScore.objects.filter(epoch__lt=over).order_by("epoch", "id"))
        + _some(SignedReport.objects.filter(closed_epoch_id__lt=over).order_by("id"))
        # A report that waits for the next pass holds its epoch.
        + _some(ClosedEpoch.objects.filter(epoch__lt=over, reports=None).order_by("epoch"))
    )


def _verdicts(now: datetime) -> QuerySet[VerdictRecord]:
    """Return those that no score follows from: not the first good one, nor of a GPU the last."""
    verified = Q(state=VerdictState.VERIFIED)
    before = VerdictRecord.objects.filter(
        verified,
        validator__admitted=True,
        machine=OuterRef("machine"),
        checked_at__lt=OuterRef("checked_at"),
    )
    proves = Gpu.objects.filter(machine=OuterRef("machine"), proven_by=OuterRef("sha256"))
    old = VerdictRecord.objects.filter(expires_at__lt=now - WORDS_KEPT, newest=False)
    return old.filter(~verified | Exists(before), ~Exists(proves))


def _some(rows: QuerySet[Any]) -> int:
    ids = list(rows.values_list("pk", flat=True)[:AT_ONCE])
    rows.model.objects.filter(pk__in=ids).delete()
    return len(ids)
