"""This will let one after the other change who is in a team."""

from marketplace.accounts.models import User
from marketplace.accounts.teams import Acting, TeamUnknown, acting


def lock(*, team_id: int, by_id: int) -> Acting:
    """Return who changes the team, read behind its lock. Call it in a transaction.

    So of two owners who leave at once, the second is the last one
    (tests/concurrency/test_last_owner.py).

    :raises TeamUnknown: when they are not in it, or it is closed or banned.
    """
    rows = User.objects.select_for_update(no_key=True).exclude(team_name="")
    if not rows.filter(pk=team_id, is_active=True).exists():
        raise TeamUnknown
    return acting(by_id, team_id)
