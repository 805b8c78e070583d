"""This will write down what happened to an account; a pass tells its owner (docs/notices.md)."""

from datetime import datetime

from marketplace.accounts.models import AccountEvent

ABOUT_LENGTH_MAX = 200


def note(*, user_id: int, kind: AccountEvent.Kind, now: datetime, about: str = "") -> None:
    """Write it down, in the caller's transaction."""
    AccountEvent.objects.create(user_id=user_id, kind=kind, about=about[:ABOUT_LENGTH_MAX], at=now)
