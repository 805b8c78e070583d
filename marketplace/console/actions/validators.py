"""This will admit a validator, or let its word count no more, in the name of staff."""

from datetime import datetime

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.domain.text import one_line
from marketplace.verification.actions import admit_validator
from marketplace.verification.models import Validator

NAME_LENGTH_MAX = 100


class NameMissing(Refused):
    code = "invalid"
    status = 422
    sentence = f"Name it on one line of at most {NAME_LENGTH_MAX} characters."


class ExpelledAlready(Refused):
    code = "validator_expelled"
    status = 409
    sentence = "Nothing that this validator says counts already."


def admit(
    *, by: Staff, hotkey: str, name: str, stake: int | None, reason: str, now: datetime
) -> Validator:
    """Return the validator, whose word counts from now on.

    :raises NotYourRole: when they who ask may not.
    :raises NameMissing: when it has no name, or too long a one.
    :raises HotkeyMalformed: when the hotkey is no ss58 address.
    :raises StakeOutOfBounds: when the stake is negative or immense.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.VALIDATORS)
    called = one_line(name)
    if not 1 <= len(called) <= NAME_LENGTH_MAX:
        raise NameMissing
    with transaction.atomic():
        known = Validator.objects.filter(hotkey=hotkey).first()
        made = admit_validator.admit(hotkey=hotkey, name=called, stake=stake, now=now)
        by.acted(
            ActKind.ADMIT_VALIDATOR,
            subject=f"validator {made.hotkey}",
            reason=reason,
            before=_told(known) if known else {},
            after=_told(made),
            now=now,
        )
    return made


def expel(*, by: Staff, hotkey: str, reason: str, now: datetime) -> None:
    """Let its verdicts, scores and SSH key count no more.

    :raises NotYourRole: when they who ask may not.
    :raises ValidatorUnknown: when nobody with this hotkey was ever admitted.
    :raises ExpelledAlready: when it counts for nothing.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.VALIDATORS)
    with transaction.atomic():
        known = Validator.objects.select_for_update().filter(hotkey=hotkey).first()
        if known is not None and not known.admitted:
            raise ExpelledAlready
        gone = admit_validator.expel(hotkey=hotkey)
        by.acted(
            ActKind.EXPEL_VALIDATOR,
            subject=f"validator {gone.hotkey}",
            reason=reason,
            before={"admitted": True},
            after={"admitted": False},
            now=now,
        )


def _told(validator: Validator) -> dict[str, object]:
    return {
        "admitted": validator.admitted,
        "name": validator.name,
        "stake": validator.stake,
    }
