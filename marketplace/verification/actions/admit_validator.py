"""This will let a validator's word count, or stop it from counting."""

import logging
from datetime import datetime

import bittensor_core

from marketplace.domain.problem import Refused
from marketplace.machines.actions import desire
from marketplace.verification.models import Validator

logger = logging.getLogger(__name__)
#: a hundred times all rao there can ever be, and far from what a column holds
STAKE_MAX = 10**18


class HotkeyMalformed(Refused):
    code = "invalid"
    status = 422
    sentence = "This is not an ss58 hotkey address."


class ValidatorUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "No validator with this hotkey was ever admitted."


class StakeOutOfBounds(Refused):
    code = "invalid"
    status = 422
    sentence = f"A stake is a whole number from 0 to {STAKE_MAX}."


def admit(*, hotkey: str, name: str, now: datetime, stake: int | None = None) -> Validator:
    """Return the validator, admitted from now on.

    ``stake``: what its word weighs; None: 1 where it is new, else as before. Whoever takes stakes
    from a chain calls this with them.

    :raises HotkeyMalformed: when the hotkey is no ss58 address.
    :raises StakeOutOfBounds: when the stake is negative or immense.
    """
    if stake is not None and not 0 <= stake <= STAKE_MAX:
        raise StakeOutOfBounds
    try:
        bittensor_core.decode_ss58(hotkey)
    except ValueError:
        raise HotkeyMalformed from None
    told = {"name": name, "admitted": True} | ({} if stake is None else {"stake": stake})
    validator, _ = Validator.objects.update_or_create(
        hotkey=hotkey, defaults=told, create_defaults={**told, "admitted_at": now}
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
