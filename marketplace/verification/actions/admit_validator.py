"""This will let a validator's word count, or stop it from counting."""

import logging
from datetime import datetime

import bittensor_core

from marketplace.domain.problem import Refused
from marketplace.verification.models import Validator

logger = logging.getLogger(__name__)


class HotkeyMalformed(Refused):
    code = "invalid"
    status = 422
    sentence = "This is not an ss58 hotkey address."


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


def expel(*, hotkey: str) -> None:
    """Make the validator's verdicts, scores and SSH key count no more."""
    Validator.objects.filter(hotkey=hotkey).update(admitted=False)
    logger.warning("Validator expelled", extra={"hotkey": hotkey})
