"""This will give a person a key for programs."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from marketplace.accounts import api_key
from marketplace.accounts.models import ApiKey, SpendLimit
from marketplace.domain.problem import Refused
from marketplace.domain.spending import Period

KEYS_MAX = 50


class TooManyApiKeys(Refused):
    code = "too_many_api_keys"
    status = 409
    sentence = f"You have {KEYS_MAX} API keys; revoke one you no longer use first."


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key; ``secret`` exists only here and must be shown now or never."""

    key: ApiKey
    secret: str


def issue(
    *, user_id: int, name: str, now: datetime, spend_limit_microusd: int | None = None
) -> Issued:
    """Return a new key of the person.

    ``spend_limit_microusd``: the most that it may ever set aside for what it rents, which does not
    change any more; what was not used of it counts back. None: no limit of its own.

    :raises TooManyApiKeys: when the person has as many as there may be.
    """
    if ApiKey.objects.filter(user_id=user_id, revoked_at=None).count() >= KEYS_MAX:
        raise TooManyApiKeys
    raw = api_key.generate()
    with transaction.atomic():
        key = ApiKey.objects.create(
            user_id=user_id,
            name=(name.strip() or "key")[:80],
            prefix=raw[: api_key.PREFIX_LENGTH],
            digest=api_key.digest(raw),
            created_at=now,
        )
        if spend_limit_microusd is not None:
            SpendLimit.objects.create(
                user_id=user_id,
                api_key=key,
                period=Period.TOTAL,
                limit_microusd=spend_limit_microusd,
            )
    return Issued(key=key, secret=raw)
