"""This will let a validator's word count, or stop it from counting."""

import logging
from datetime import datetime

import bittensor_core

from marketplace.domain.problem import Refused
from marketplace.machines.actions import desire
from marketplace.verification.models import Validator

logger = logging.getLogger(__name__)


class HotkeyMalformed(Refused):
    code = "invalid"
    status = 422
    sentence = "This is not an ss58 hotkey address."


class ValidatorUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "No validator with this hotkey was ever admitted."


def admit(*, hotkey: str, name: str, now: datetime) -> Validator:
    """Return the validator, admitted from now on.

    :raises HotkeyMalformed: when the hotkey is no ss58 address.
    """
    try:
        bittensor_core.decode_ss58(hotkey)
    except ValueError:
        raise HotkeyMalformed from None
    validator, _ = Validator.objects.update_or_create(
        hotkey=hotkey,
        defaults={"name": name, "admitted": True},
        create_defaults={"name": name, "admitted": True, "admitted_at": now},
    )
    logger.info("Validator admitted", extra={"hotkey": hotkey})
    return validator


def expel(*, hotkey: str) -> Validator:
    """Return the validator, whose verdicts, scores and SSH key count no more.

    :raises ValidatorUnknown: when nobody with this hotkey was ever admitted.
    """
    validator = Validator.objects.filter(hotkey=hotkey).first()
    if validator is None:
        raise ValidatorUnknown
    Validator.objects.filter(hotkey=hotkey).update(admitted=False)
    # Machines let its SSH key in no longer from their next sync on, which is now.
    desire.bump_online()
    logger.warning("Validator expelled", extra={"hotkey": hotkey})
    return validator
