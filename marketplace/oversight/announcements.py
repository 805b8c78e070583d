"""This will say what operators announce on every page, without asking the database each time."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache

from marketplace.oversight.models import Announcement

#: a page may be behind by so much, as each process keeps its own
KEPT_S = 15
#: of them on every page
SHOWN_MAX = 3
KEY = "announcements"


@dataclass(frozen=True, slots=True)
class Announced:
    id: int
    text: str
    at: datetime
    until: datetime


def standing(now: datetime) -> tuple[Announced, ...]:
    """Return what is announced now, the newest first."""
    kept: tuple[Announced, ...] | None = cache.get(KEY)
    if kept is None:
        rows = Announcement.objects.filter(until__gt=now).order_by("-id")[:SHOWN_MAX]
        kept = tuple(Announced(row.pk, row.text, row.at, row.until) for row in rows)
        cache.set(KEY, kept, KEPT_S)
    return tuple(one for one in kept if one.until > now)


def look_anew() -> None:
    """Forget what this process knows; the others do within seconds."""
    cache.delete(KEY)
