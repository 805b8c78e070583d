"""This will end an API key."""

from datetime import datetime
from uuid import UUID

from marketplace.accounts.models import ApiKey
from marketplace.domain.problem import Refused


class ApiKeyNotFound(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no such API key."


def revoke(*, user_id: int, key_id: UUID, now: datetime) -> None:
    """Refuse the key from now on; revoking it again changes nothing.

    :raises ApiKeyNotFound: when the person has no such key.
    """
    mine = ApiKey.objects.filter(pk=key_id, user_id=user_id)
    if not mine.filter(revoked_at=None).update(revoked_at=now) and not mine.exists():
        raise ApiKeyNotFound
