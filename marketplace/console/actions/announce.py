"""This will have every page say something, and say it no more."""

from datetime import datetime, timedelta

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.domain.text import one_line
from marketplace.oversight.announcements import SHOWN_MAX, look_anew
from marketplace.oversight.models import Announcement

TEXT_LENGTH_MAX = 300
HOURS_MAX = 30 * 24


class AnnouncementInvalid(Refused):
    code = "announcement_invalid"
    status = 422
    sentence = f"Write up to {TEXT_LENGTH_MAX} characters, shown for 1 to {HOURS_MAX} hours."


class TooManyAnnouncements(Refused):
    code = "too_many_announcements"
    status = 409
    sentence = f"Pages show {SHOWN_MAX} announcements at once; withdraw one first."


class AnnouncementUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such announcement, or it is over."


def announce(*, by: Staff, text: str, hours: int, reason: str, now: datetime) -> Announcement:
    """Return what every page says for so many hours from now.

    :raises NotYourRole: when they who ask may not.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    :raises AnnouncementInvalid: when there is no text, or the text or the time is too long.
    :raises TooManyAnnouncements: when pages show as many as they can.
    """
    by.must(Right.ANNOUNCE)
    words = one_line(" ".join(text.split()))
    if not 0 < len(words) <= TEXT_LENGTH_MAX or not 1 <= hours <= HOURS_MAX:
        raise AnnouncementInvalid
    with transaction.atomic():
        if Announcement.objects.filter(until__gt=now).count() >= SHOWN_MAX:
            raise TooManyAnnouncements
        until = now + timedelta(hours=hours)
        made = Announcement.objects.create(text=words, at=now, until=until)
        by.acted(
            ActKind.ANNOUNCE,
            subject=f"announcement {made.pk}",
            reason=reason,
            after={"text": words, "until": until.isoformat()},
            now=now,
        )
        transaction.on_commit(look_anew)
    return made


def withdraw(*, by: Staff, announcement_id: int, reason: str, now: datetime) -> None:
    """Have no page say it any more.

    :raises NotYourRole: when they who ask may not.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    :raises AnnouncementUnknown: when it is not shown.
    """
    by.must(Right.ANNOUNCE)
    with transaction.atomic():
        shown = Announcement.objects.select_for_update().filter(pk=announcement_id, until__gt=now)
        found = shown.first()
        if found is None:
            raise AnnouncementUnknown
        by.acted(
            ActKind.WITHDRAW,
            subject=f"announcement {found.pk}",
            reason=reason,
            before={"text": found.text, "until": found.until.isoformat()},
            now=now,
        )
        Announcement.objects.filter(pk=found.pk).update(until=now)
        transaction.on_commit(look_anew)
