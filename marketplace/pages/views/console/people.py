"""This will find people, and show one with everything that belongs to them."""

from functools import partial

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.console import queries
from marketplace.console.actions.let_pay import let_pay
from marketplace.console.person import person as find_person
from marketplace.domain.oversight import Right
from marketplace.pages.shown import console
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, text


@require_safe
@staff_only(Right.SEE)
def people(request: StaffRequest) -> HttpResponse:
    """Show people whose address begins as asked for."""
    wanted = text(request, "q")
    found = queries.people(begins=wanted, after=text(request, "after"))
    context = {
        "q": wanted,
        "people": [console.person_line(user) for user in found.people],
        "after": found.after,
    }
    return render(request, "console/people.html", context)


@require_safe
@staff_only(Right.SEE)
def person(request: StaffRequest, user_id: int) -> HttpResponse:
    """Show one person."""
    found = find_person(user_id, now=timezone.now())
    if found is None:
        raise Http404("Nobody has this number.")
    rights = request.staff.rights
    context = {
        **console.person(found),
        "may_money": Right.MONEY in rights,
        "may_roles": Right.ROLES in rights,
    }
    return render(request, "console/person.html", context)


@require_POST
@staff_only(Right.MONEY)
def person_let_pay(request: StaffRequest, user_id: int) -> HttpResponse:
    """Take their cards again."""
    act = partial(
        let_pay,
        by=request.staff,
        user_id=user_id,
        reason=request.POST.get("reason", ""),
        now=timezone.now(),
    )
    done(request, act, "Their cards are taken again.")
    return redirect("console-person", user_id)
