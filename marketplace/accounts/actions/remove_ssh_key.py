"""This will stop a key from opening rentals that start from now on."""

from uuid import UUID

from marketplace.accounts.models import SshKey
from marketplace.domain.problem import Refused


class SshKeyNotFound(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no such SSH key."


def remove(*, user_id: int, key_id: UUID) -> None:
    """Remove the key. Rentals that run already keep the keys they started with.

    :raises SshKeyNotFound: when the person has no such key.
    """
    removed, _ = SshKey.objects.filter(pk=key_id, user_id=user_id).delete()
    if not removed:
        raise SshKeyNotFound
