"""This will keep what somebody wanted while they are on a page of another site, and for how long.

It is kept in their session: what comes back in an address is nobody's word.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from marketplace.pages.visitor import MemberRequest

KEY = "errands"
LASTS = timedelta(hours=1)
#: of one session; the oldest is forgotten first
KEPT_MAX = 8


def leave(request: MemberRequest, name: str, told: dict[str, str]) -> None:
    """Keep what is wanted, in place of what was under this name."""
    kept: dict[str, Any] = dict(request.session.get(KEY, {}))
    kept.pop(name, None)
    kept[name] = {**told, "user": request.user.pk, "at": timezone.now().timestamp()}
    request.session[KEY] = dict(list(kept.items())[-KEPT_MAX:])


def take(request: MemberRequest, name: str) -> dict[str, str]:
    """Return what was wanted and forget it; nothing where that is old, or another account's."""
    kept: dict[str, Any] = dict(request.session.get(KEY, {}))
    if name not in kept:
        return {}
    told = kept.pop(name)
    request.session[KEY] = kept
    is_old = told.pop("at") < (timezone.now() - LASTS).timestamp()
    # Somebody may act for a team when they leave and for themselves when they come back.
    return {} if told.pop("user") != request.user.pk or is_old else told
