"""This will tell a person of something, once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from marketplace.domain.notices import KINDS
from marketplace.notices.models import Delivery, Notice, WebHook

TITLE_LENGTH_MAX = 200


class KindUnknown(ValueError):
    """Nobody could turn off its letters: it is not one of marketplace.domain.notices.KINDS."""


def notify(
    *,
    user_id: int,
    kind: str,
    cause: str,
    title: str,
    text: str = "",
    data: Mapping[str, Any] | None = None,
    now: datetime,
) -> bool:
    """Return whether this was new: of the same cause nobody is told twice.

    It is on the person's page at once, part of the caller's transaction; letter and web hooks
    follow by passes. ``data`` is for programs; its "url" is a page of this site, such as
    ``/rentals/…/``.

    :raises KindUnknown: when there is no such kind.
    """
    if kind not in KINDS:
        raise KindUnknown(kind)
    with transaction.atomic():
        notice, is_new = Notice.objects.get_or_create(
            user_id=user_id,
            cause=cause,
            defaults={
                "kind": kind,
                # One line: a letter's subject can have no more.
                "title": " ".join(title.split())[:TITLE_LENGTH_MAX],
                "text": text,
                "data": dict(data or {}),
                "at": now,
                "mail_due_at": now if settings.MAILS_NOTICES else None,
            },
        )
        if is_new:
            hooks = WebHook.objects.filter(user_id=user_id, off_at=None).order_by("id")
            Delivery.objects.bulk_create(
                [Delivery(hook=hook, notice=notice, next_at=now) for hook in hooks]
            )
    return is_new
