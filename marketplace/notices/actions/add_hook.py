"""This will add a web hook, turn one on again, and remove one."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.notices import queries, secret
from marketplace.notices.models import WebHook

HOOKS_MAX = 5
URL_LENGTH_MAX = 500


class TooManyWebHooks(Refused):
    code = "too_many_web_hooks"
    status = 409
    sentence = f"You have {HOOKS_MAX} web hooks; remove one first."


class WebHookKnown(Refused):
    code = "web_hook_known"
    status = 409
    sentence = "You have a web hook at this address already."


class AddressRefused(Refused):
    code = "address_invalid"
    status = 422
    sentence = "Write an address such as https://example.com/berth, without a name or password."


@dataclass(frozen=True, slots=True)
class Added:
    """A hook with a new secret; show ``secret`` now or never."""

    hook: WebHook
    secret: str


def add(*, user_id: int, url: str, now: datetime, made_by_id: int | None = None) -> Added:
    """Return a new web hook of the person: each of their notices from now on is sent there.

    ``made_by_id``: who makes it for a team; it is off once they may not any more (shut_left.py).
    None: ``user_id`` is no team.

    :raises AddressRefused: when that is no address, or a plain http one on a public site.
    :raises TooManyWebHooks: when the person has as many as there may be.
    :raises WebHookKnown: when the person has one there already.
    """
    url = checked(url)
    try:
        with transaction.atomic():
            # Two requests at once count one after the other.
            User.objects.select_for_update(no_key=True).get(pk=user_id)
            if WebHook.objects.filter(user_id=user_id).count() >= HOOKS_MAX:
                raise TooManyWebHooks
            hook = WebHook.objects.create(
                user_id=user_id, url=url, made_by_id=made_by_id, created_at=now, tried_at=now
            )
    except IntegrityError:
        raise WebHookKnown from None
    return Added(hook, secret.of_hook(hook.pk, hook.secret_turn))


def checked(url: str) -> str:
    """Return the address without blanks around it.

    :raises AddressRefused: when nothing can be sent there.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        strange = parts.port == 0 or parts.username is not None or parts.fragment
    except ValueError:
        raise AddressRefused from None
    plain = not url.isascii() or not url.isprintable() or " " in url or "\\" in url
    schemes = ("https", "http") if settings.PRIVATE_HOOKS else ("https",)
    if plain or strange or not parts.hostname or len(url) > URL_LENGTH_MAX:
        raise AddressRefused
    if parts.scheme not in schemes:
        raise AddressRefused
    return url


def turn_on(*, user_id: int, hook_id: UUID, made_by_id: int | None = None) -> None:
    """Send notices there again, from the next one on.

    ``made_by_id``: who answers for it in a team from now on, as in ``add``.

    :raises WebHookUnknown: when the person has no such hook.
    """
    queries.hook(hook_id, user_id)
    WebHook.objects.filter(id=hook_id).update(
        off_at=None, failures=0, failing_since=None, problem="", made_by_id=made_by_id
    )


def remove(*, user_id: int, hook_id: UUID) -> None:
    """Send nothing there any more; what was on its way is dropped.

    :raises WebHookUnknown: when the person has no such hook.
    """
    queries.hook(hook_id, user_id).delete()
