"""This will show people what they were told."""

import re

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.notices import queries
from marketplace.notices.actions.mark_read import mark_read
from marketplace.pages.shown import notice
from marketplace.pages.visitor import MemberRequest, members_only

NUMBER = re.compile("[0-9]{1,18}")


@require_safe
@members_only
def notices(request: MemberRequest) -> HttpResponse:
    """Show the newest notices, or a page of older ones."""
    page = queries.page(request.user.pk, before=_number(request.GET.get("before", "")))
    context = {
        "notices": [notice.line(one) for one in page.items],
        "older": page.older,
        "newest": page.items[0].pk if page.items else None,
        "any_unread": any(one.read_at is None for one in page.items),
    }
    return render(request, "notices/notices.html", context)


@require_POST
@members_only
def read_notices(request: MemberRequest) -> HttpResponse:
    """Note that the person has seen what the page showed and all that is older."""
    up_to = _number(request.POST.get("up_to", ""))
    if up_to is not None:
        mark_read(user_id=request.user.pk, up_to=up_to, now=timezone.now())
    return redirect("notices")


def _number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None
