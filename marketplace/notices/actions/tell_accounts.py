"""This will tell people what was done with their accounts, in case it was not them."""

from datetime import datetime

from django.db import transaction

from marketplace.accounts.models import AccountEvent
from marketplace.notices.actions.notify import notify

ROWS_MAX = 500
Kind = AccountEvent.Kind
NOT_YOU = "If that was not you, change your password: that ends every API key."
IN_TEAM = "If none of you did it, revoke the key and look at who is in the team."
#: title, text and page of each kind; the text may name what the event is about
SAID = {
    Kind.API_KEY_MADE: (
        "An API key was made",
        "Its name is {about}. " + NOT_YOU,
        "/api-keys/",
    ),
    Kind.SECOND_STEP_REMOVED: (
        "Your account lost a second step",
        "A log-in no longer asks for it: {about}. " + NOT_YOU,
        "/accounts/2fa/",
    ),
    Kind.LOG_IN_LINKED: (
        "Another log-in opens your account",
        "It is {about}. If that was not you, unlink it and change your password.",
        "/accounts/3rdparty/",
    ),
    Kind.TEAM_CHANGED: (
        "A team of yours has changed",
        "{about}.",
        "/teams/",
    ),
    Kind.CODES_FAILED: (
        "Somebody fails at your second step",
        "Your password was given, and then a wrong code, many times within a day. If that was not"
        " you, somebody knows your password: change it.",
        "/accounts/password/change/",
    ),
}


def tell_accounts(*, now: datetime) -> int:
    """Return how many people were told; of each event once."""
    rows = AccountEvent.objects.filter(told_at=None).select_related("user").order_by("id")
    return sum(_tell(event, now) for event in rows[:ROWS_MAX])


def _tell(event: AccountEvent, now: datetime) -> bool:
    title, text, url = SAID[Kind(event.kind)]
    if event.user.is_team:
        # It has no password.
        text = text.replace(NOT_YOU, IN_TEAM)
    with transaction.atomic():
        AccountEvent.objects.filter(pk=event.pk).update(told_at=now)
        return notify(
            user_id=event.user_id,
            kind=event.kind,
            cause=f"account-event:{event.pk}",
            title=title,
            text=text.format(about=event.about),
            data={"url": url},
            now=now,
        )
