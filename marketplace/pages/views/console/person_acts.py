"""This will give a person credit, and take off a second step that they lost."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from marketplace.accounts.models import User
from marketplace.console import queries
from marketplace.console.actions.give_credit import check_credit, give_credit
from marketplace.console.actions.remove_step import remove_step
from marketplace.domain.money import MicroUsd, format_usd, usd
from marketplace.domain.oversight import Right
from marketplace.domain.problem import Refused
from marketplace.pages.shown.console import person_url
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import NUMBER, done, reason
from marketplace.pages.views.console.sure import unsure


@require_POST
@staff_only(Right.MONEY)
def person_credit(request: StaffRequest, user_id: int) -> HttpResponse:
    """Give them credit."""
    person, back = _person(user_id), person_url(user_id)
    try:
        amount, days, key = _asked(request)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(back)
    told = [
        f"{person.shown} can spend {format_usd(amount)} for {days} days, before their own money.",
        "What they have not spent then is gone. It goes to no card, and pays for no machine of"
        " their own.",
        "They read your reason. It can’t be taken back.",
    ]
    asks = unsure(
        request,
        title=f"Give {person.shown} {format_usd(amount)} of credit",
        back=back,
        told=told,
        button="Give it",
        stops=False,
    )
    if asks is not None:
        return asks
    done(
        request,
        lambda: give_credit(
            by=request.staff,
            user_id=user_id,
            amount_microusd=amount,
            days=days,
            reason=reason(request),
            request_key=key,
            now=timezone.now(),
        ),
        "It is theirs, and they were told.",
    )
    return redirect(back)


@require_POST
@staff_only(Right.INTERVENE)
def person_remove_step(request: StaffRequest, user_id: int) -> HttpResponse:
    """Take off their second step."""
    person, back = _person(user_id), person_url(user_id)
    told = [
        f"{person.shown} logs in with a password alone from then on: be sure who asks.",
        "Their authenticator app, passkeys and recovery codes are gone, they are logged out"
        " everywhere, and their API keys end.",
        "They get a letter that says so.",
    ]
    asks = unsure(
        request,
        title=f"Take off the second step of {person.shown}",
        back=back,
        told=told,
        button="Take it off",
    )
    if asks is not None:
        return asks
    done(
        request,
        lambda: remove_step(
            by=request.staff, user_id=user_id, reason=reason(request), now=timezone.now()
        ),
        "They log in with a password alone now, and were told.",
    )
    return redirect(back)


def _person(user_id: int) -> User:
    found = queries.user(user_id)
    if found is None:
        raise Http404("Nobody has this number.")
    return found


def _asked(request: StaffRequest) -> tuple[MicroUsd, int, str]:
    amount, days = usd(request.POST.get("amount", "")[:24]), request.POST.get("days", "")
    # What is no number is no number of days.
    count = int(days) if NUMBER.fullmatch(days) else 0
    key = request.POST.get("request_key", "")
    check_credit(amount_microusd=amount, days=count, request_key=key)
    return amount, count, key
