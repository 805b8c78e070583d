"""This will choose which of a renter's SSH keys open a rental."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.accounts import queries as accounts
from marketplace.accounts.actions.remove_ssh_key import SshKeyNotFound
from marketplace.domain.problem import Refused


class SshKeyMissing(Refused):
    """No key would open the door."""

    code = "ssh_key_missing"
    status = 409
    sentence = "Add an SSH public key first, so that you can log in."


def lines(renter_id: int, ssh_key_ids: Sequence[UUID] | None) -> tuple[str, ...]:
    """Return the public keys; None: all that the renter has now.

    :raises SshKeyNotFound: when the renter has no such key.
    :raises SshKeyMissing: when there would be none.
    """
    keys = accounts.ssh_keys(renter_id, only=ssh_key_ids)
    if ssh_key_ids is not None and len(keys) < len(set(ssh_key_ids)):
        raise SshKeyNotFound
    if not keys:
        raise SshKeyMissing
    return tuple(key.public_key for key in keys)
