"""This will show what every page says, and let staff say and withdraw it."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.console.actions.announce import (
    HOURS_MAX,
    TEXT_LENGTH_MAX,
    announce,
    withdraw,
)
from marketplace.domain.oversight import Right
from marketplace.oversight.models import Announcement
from marketplace.pages.shown.moment import Moment
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import NUMBER, done, reason


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only(Right.ANNOUNCE)
def announcements(request: StaffRequest) -> HttpResponse:
    """Show what is announced, or announce something."""
    now = timezone.now()
    if request.method == "POST":
        hours = request.POST.get("hours", "")
        done(
            request,
            lambda: announce(
                by=request.staff,
                text=request.POST.get("text", ""),
                hours=int(hours) if NUMBER.fullmatch(hours) else 0,
                reason=reason(request),
                now=now,
            ),
            "Every page says it within seconds.",
        )
        return redirect("console-announcements")
    rows = [
        {
            "id": row.pk,
            "field": f"withdraw-{row.pk}",
            "text": row.text,
            "at": Moment.of(row.at),
            "until": Moment.of(row.until),
        }
        for row in Announcement.objects.filter(until__gt=now).order_by("-id")
    ]
    bounds = {"text_max": TEXT_LENGTH_MAX, "hours_max": HOURS_MAX}
    return render(request, "console/announcements.html", {"rows": rows, **bounds})


@require_POST
@staff_only(Right.ANNOUNCE)
def withdraw_announcement(request: StaffRequest, announcement_id: int) -> HttpResponse:
    """Withdraw what is announced."""
    done(
        request,
        lambda: withdraw(
            by=request.staff,
            announcement_id=announcement_id,
            reason=reason(request),
            now=timezone.now(),
        ),
        "No page says it any more, within seconds.",
    )
    return redirect("console-announcements")
