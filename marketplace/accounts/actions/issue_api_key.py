"""This will give a person a key for programs."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.accounts import api_key
from marketplace.accounts.models import ApiKey
from marketplace.domain.problem import Refused

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


def issue(*, user_id: int, name: str, now: datetime) -> Issued:
    """Return a new key of the person.

    :raises TooManyApiKeys: when the person has as many as there may be.
    """
    if ApiKey.objects.filter(user_id=user_id, revoked_at=None).count() >= KEYS_MAX:
        raise TooManyApiKeys
    raw = api_key.generate()
    key = ApiKey.objects.create(
        user_id=user_id,
        name=(name.strip() or "key")[:80],
        prefix=raw[: api_key.PREFIX_LENGTH],
        digest=api_key.digest(raw),
        created_at=now,
    )
    return Issued(key=key, secret=raw)
