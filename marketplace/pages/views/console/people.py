"""This will find people, and show one with everything that belongs to them."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.console import queries
from marketplace.console.actions.ban import ban, lift
from marketplace.console.actions.let_pay import let_pay
from marketplace.console.actions.prove_email import prove
from marketplace.console.person import person as find_person
from marketplace.domain.oversight import Right
from marketplace.pages.shown import console
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, reason, text


@require_safe
@staff_only(Right.SEE)
def people(request: StaffRequest) -> HttpResponse:
    """Show people whose address begins as asked for."""
    wanted, after = text(request, "q"), text(request, "after")
    # On the first page only: there are few.
    teams = queries.teams(begins="" if after else wanted)
    found = queries.people(begins=wanted, after=after)
    context = {
        "q": wanted,
        "teams": [console.person_line(one) for one in teams],
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
        "request_key": uuid4().hex,
        "may_money": Right.MONEY in rights,
        "may_roles": Right.ROLES in rights,
        "may_intervene": Right.INTERVENE in rights,
    }
    return render(request, "console/person.html", context)


@require_POST
@staff_only(Right.MONEY)
def person_let_pay(request: StaffRequest, user_id: int) -> HttpResponse:
    """Take their cards again."""
    return _act(request, user_id, let_pay, "Their cards are taken again.")


@require_POST
@staff_only(Right.INTERVENE)
def person_ban(request: StaffRequest, user_id: int) -> HttpResponse:
    """Shut them out."""
    return _act(request, user_id, ban, "They are banned, and were told so.")


@require_POST
@staff_only(Right.INTERVENE)
def person_lift(request: StaffRequest, user_id: int) -> HttpResponse:
    """Let them in again."""
    return _act(request, user_id, lift, "The ban is lifted, and they were told so.")


@require_POST
@staff_only(Right.INTERVENE)
def person_prove(request: StaffRequest, user_id: int) -> HttpResponse:
    """Take their e-mail address as theirs."""
    return _act(request, user_id, prove, "Their e-mail address counts as proven.")


def _act(
    request: StaffRequest, user_id: int, act: Callable[..., object], sentence: str
) -> HttpResponse:
    asked = partial(
        act, by=request.staff, user_id=user_id, reason=reason(request), now=timezone.now()
    )
    done(request, asked, sentence)
    return redirect("console-person", user_id)
