"""This will note the SSH key with which a validator logs in to machines."""

import logging

from marketplace.domain.problem import Refused
from marketplace.machines.actions import desire
from marketplace.verification.models import Validator
from protocol.signing import machine_key_of, openssh_public_key

logger = logging.getLogger(__name__)


class ValidatorKeyMalformed(Refused):
    code = "ssh_key_malformed"
    status = 422
    sentence = "A validator's SSH key must be one ssh-ed25519 public key line."


def register_key(*, hotkey: str, ssh_public_key: str) -> Validator:
    """Return the admitted validator, whose key machines authorise from their next sync on.

    :raises ValidatorKeyMalformed: when the line is no ssh-ed25519 public key.
    """
    try:
        # Written anew, so that no option or comment of the line ever reaches a machine.
        line = openssh_public_key(machine_key_of(ssh_public_key))
    except ValueError:
        raise ValidatorKeyMalformed from None
    validator = Validator.objects.get(hotkey=hotkey, admitted=True)
    if validator.ssh_public_key == line:
        return validator
    validator.ssh_public_key = line
    validator.save(update_fields=["ssh_public_key"])
    desire.bump_online()
    logger.info("Validator key registered", extra={"hotkey": hotkey})
    return validator
