"""This will tell the operator what the card processor's books and ours do not agree about."""

import logging
from datetime import datetime

from marketplace.payments.models import Difference

DETAIL_LENGTH_MAX = 500

log = logging.getLogger(__name__)


def note(*, kind: str, reference: str, detail: str, now: datetime) -> bool:
    """Return whether this is new: the same difference is told once."""
    _, is_new = Difference.objects.get_or_create(
        kind=kind,
        reference=reference,
        defaults={"detail": detail[:DETAIL_LENGTH_MAX], "found_at": now},
    )
    if is_new:
        log.critical("books differ", extra={"kind": kind, "reference": reference, "detail": detail})
    return is_new
