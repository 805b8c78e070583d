"""This will say what validators measured of a machine, which rentals are held against."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.delivered import Figures, listed
from marketplace.verification import relied_on
from marketplace.verification.models import VerdictRecord
from protocol.validator import MeasuredLook

#: the newest, of which the middle one counts
LOOKS_MOST = 9


def figures(machine_id: UUID, *, now: datetime) -> Figures:
    """Return the machine's figures of now, by validators whose single word is relied on."""
    measuring = VerdictRecord.objects.filter(
        relied_on.verdicts(now), machine_id=machine_id, measured__isnull=False
    )
    newest = measuring.order_by("-checked_at", "-id").values_list("measured", flat=True)
    return listed([MeasuredLook.model_validate(one) for one in newest[:LOOKS_MOST]])
