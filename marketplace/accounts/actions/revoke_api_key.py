"""This will end an API key."""

from datetime import datetime
from uuid import UUID

from marketplace.accounts.models import ApiKey
from marketplace.accounts.queries import knows
from marketplace.domain.problem import Refused


class ApiKeyNotFound(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no such API key."


def revoke(*, user_id: int, key_id: UUID, now: datetime, by: ApiKey | None = None) -> None:
    """Refuse the key from now on; revoking it again changes nothing.

    ``by``: the key that asks; None: the person does.

    :raises ApiKeyNotFound: when the person has no such key, or ``by`` does not know of it.
    """
    key = ApiKey.objects.filter(pk=key_id, user_id=user_id).first()
    if key is None or (by is not None and not knows(by, key)):
        raise ApiKeyNotFound
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=now)
