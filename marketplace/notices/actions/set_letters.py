"""This will let people choose of what kinds of notices they get letters."""

from collections.abc import Collection

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.domain.notices import LETTERS
from marketplace.domain.problem import Refused
from marketplace.notices.models import LettersOff


class KindUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There are no letters of this kind that could be turned off."


def set_letter(*, user_id: int, kind: str, on: bool) -> None:
    """Send the person letters of this kind or no more, those that wait too.

    :raises KindUnknown: when there are none, or they cannot be turned off.
    """
    if kind not in LETTERS:
        raise KindUnknown
    if on:
        LettersOff.objects.filter(user_id=user_id, kind=kind).delete()
    else:
        LettersOff.objects.get_or_create(user_id=user_id, kind=kind)


def set_letters(*, user_id: int, on: Collection[str]) -> None:
    """Send the person letters of these kinds, and of no others that can be turned off."""
    with transaction.atomic():
        # Two forms at once count one after the other.
        User.objects.select_for_update(no_key=True).get(pk=user_id)
        for kind in LETTERS:
            set_letter(user_id=user_id, kind=kind, on=kind in on)
