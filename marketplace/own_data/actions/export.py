"""This will make an export of all that is kept about a person, and forget it after a week."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.notices.actions.notify import notify
from marketplace.one_by_one import one_by_one
from marketplace.own_data.content import written
from marketplace.own_data.models import ATTEMPTS_MAX, Export

KEPT_FOR = timedelta(days=7)
EXPORTS = Limit("export all that is kept", 3, timedelta(days=1))
#: of one pass: each reads all that somebody has
MADE_MAX = 5

logger = logging.getLogger(__name__)


class ExportUnderWay(Refused):
    code = "export_under_way"
    status = 409
    sentence = "Your export is being made; load this page again in a moment."


class ExportUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no such export, or its week is over."


def ask(*, user_id: int, now: datetime) -> Export:
    """Return an export that a pass makes.

    :raises ExportUnderWay: when one is being made.
    :raises TooManyAttempts: when they asked for several today.
    """
    if Export.objects.filter(user_id=user_id, ready_at=None, attempts__lt=ATTEMPTS_MAX).exists():
        raise ExportUnderWay
    count(limit=EXPORTS, subject=str(user_id), now=now)
    try:
        with transaction.atomic():
            return Export.objects.create(user_id=user_id, asked_at=now)
    except IntegrityError:
        raise ExportUnderWay from None


def exports(user_id: int, now: datetime) -> Sequence[Export]:
    """Return the person's exports without their content, newest first."""
    mine = Export.objects.filter(user_id=user_id, asked_at__gt=now - KEPT_FOR)
    return tuple(mine.defer("content").order_by("-asked_at", "id"))


def content(*, user_id: int, export_id: UUID, now: datetime) -> bytes:
    """Return the zip.

    :raises ExportUnknown: when the person has no such one that is ready and not over.
    """
    mine = Export.objects.filter(pk=export_id, user_id=user_id, asked_at__gt=now - KEPT_FOR)
    found = mine.values_list("content", flat=True).first()
    if found is None:
        raise ExportUnknown
    return bytes(found)


def make_exports(*, now: datetime) -> int:
    """Return how many were made; those whose week is over are dropped.

    Whoever is killed on the way makes it again, three times at most; nobody is told twice.
    """
    Export.objects.filter(asked_at__lte=now - KEPT_FOR).delete()
    due = Export.objects.filter(ready_at=None, attempts__lt=ATTEMPTS_MAX).select_related("user")
    made = one_by_one(
        # One that failed, or over which a process was killed, keeps no other waiting.
        due.order_by("attempts", "asked_at", "id"),
        lambda export: _make(export, now),
        failed="Could not make an export",
        most=MADE_MAX,
    )
    return sum(made)


def _make(export: Export, now: datetime) -> bool:
    user: User = export.user
    Export.objects.filter(pk=export.pk).update(attempts=F("attempts") + 1)
    made = written(user, site=settings.PUBLIC_URL, now=now)
    with transaction.atomic():
        mine = Export.objects.filter(pk=export.pk, ready_at=None)
        if not mine.update(ready_at=now, content=made, size_bytes=len(made)):
            return False
        notify(
            user_id=user.pk,
            kind="export_ready",
            cause=f"export:{export.pk}",
            title="Your data is ready",
            text="All that is kept about you lies ready as one file for a week. If you did not ask"
            " for it, somebody else is in your account: change your password.",
            data={"url": f"/teams/{user.pk}/data/" if user.is_team else "/accounts/data/"},
            now=now,
        )
    logger.info("export made", extra={"user_id": user.pk, "size_bytes": len(made)})
    return True
