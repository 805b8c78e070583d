"""This will let a person's key open their rentals."""

from datetime import datetime

from django.db import transaction

from marketplace.accounts import ssh_key
from marketplace.accounts.models import SshKey, SshKeyHolder
from marketplace.accounts.ssh_key import SshKeyMalformed
from marketplace.domain.problem import Refused
from marketplace.domain.text import one_line

__all__ = ["SshKeyMalformed", "TooManySshKeys", "add"]

KEYS_MAX = 50


class TooManySshKeys(Refused):
    code = "too_many_ssh_keys"
    status = 409
    sentence = f"You have {KEYS_MAX} SSH keys; remove one you no longer use first."


@transaction.atomic
def add(
    *, user_id: int, name: str, public_key: str, now: datetime, added_by_id: int | None = None
) -> SshKey:
    """Return the person's new key; adding a key that is there returns it as it is.

    ``name`` may be empty: then the key's own comment names it. ``added_by_id``: who adds it to a
    team's, with whom it goes (end_team_keys.py); None: ``user_id`` is no team.

    :raises SshKeyMalformed: when the text is not exactly one public key.
    :raises TextRefused: when it cannot be called so.
    :raises TooManySshKeys: when the person has as many as there may be.
    """
    parsed, called = ssh_key.parse(public_key), one_line(name)
    mine = SshKey.objects.filter(user_id=user_id)
    # Locked, as whoever added it first may leave the team and take it along meanwhile.
    known = mine.select_for_update().filter(fingerprint=parsed.fingerprint).first()
    if known is not None:
        if added_by_id not in {None, known.added_by_id}:
            # Whoever added it first does not take it along from those who use it too.
            SshKeyHolder.objects.get_or_create(key=known, person_id=added_by_id)
        return known
    if mine.count() >= KEYS_MAX:
        raise TooManySshKeys
    shown = called or parsed.comment or "key"
    return SshKey.objects.get_or_create(
        user_id=user_id,
        fingerprint=parsed.fingerprint,
        defaults={
            "name": shown[:80],
            "public_key": parsed.line,
            "created_at": now,
            "added_by_id": added_by_id,
        },
    )[0]
