"""This will give a person a key for programs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from marketplace.accounts import api_key
from marketplace.accounts.actions.note_event import note
from marketplace.accounts.models import AccountEvent, ApiKey, SpendLimit
from marketplace.domain.problem import Refused
from marketplace.domain.scope import Scope
from marketplace.domain.spending import Period
from marketplace.domain.text import one_line

KEYS_MAX = 50


class TooManyApiKeys(Refused):
    code = "too_many_api_keys"
    status = 409
    sentence = f"You have {KEYS_MAX} API keys; revoke one you no longer use first."


class ExpiryPassed(Refused):
    code = "expiry_passed"
    status = 422
    sentence = "A key cannot end before it begins; name a later time."


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key; ``secret`` exists only here and must be shown now or never."""

    key: ApiKey
    secret: str


def issue(
    *,
    user_id: int,
    name: str,
    now: datetime,
    spend_limit_microusd: int | None = None,
    scopes: Collection[Scope] = (),
    expires_at: datetime | None = None,
    made_by_id: int | None = None,
) -> Issued:
    """Return a new key of the person, who is told of it.

    ``spend_limit_microusd``: the most that it may ever set aside for what it rents, which does not
    change any more; what was not used of it counts back. None: no limit of its own.

    ``scopes``: what it may do, which does not change any more; none: all that the person may.
    ``expires_at``: it opens nothing from then on. None: it lasts until it is revoked.
    ``made_by_id``: who makes it for a team; it does no more than they may there. None: ``user_id``
    is no team.

    :raises TooManyApiKeys: when the person has as many as there may be.
    :raises TextRefused: when it cannot be called so.
    :raises ExpiryPassed: when it would have ended by now.
    """
    called = one_line(name)
    if expires_at is not None and expires_at <= now:
        raise ExpiryPassed
    ended = Q(revoked_at__isnull=False) | Q(expires_at__lte=now)
    if ApiKey.objects.filter(~ended, user_id=user_id).count() >= KEYS_MAX:
        raise TooManyApiKeys
    raw = api_key.generate()
    with transaction.atomic():
        key = ApiKey.objects.create(
            user_id=user_id,
            made_by_id=made_by_id,
            name=(called or "key")[:80],
            prefix=raw[: api_key.PREFIX_LENGTH],
            digest=api_key.digest(raw),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=expires_at,
        )
        if spend_limit_microusd is not None:
            SpendLimit.objects.create(
                user_id=user_id,
                api_key=key,
                period=Period.TOTAL,
                limit_microusd=spend_limit_microusd,
            )
        note(
            user_id=user_id,
            kind=AccountEvent.Kind.API_KEY_MADE,
            about=f"{key.name} ({key.prefix}…)",
            now=now,
        )
    return Issued(key=key, secret=raw)
