"""This will let nobody delete an account while something of it is decided."""

from marketplace.accounts.models import User
from marketplace.accounts.queries import is_deleted


def lock(*, user_id: int) -> bool:
    """Return whether the account is still there, and is until the end of this transaction.

    It comes before all other locks (docs/architecture.md), as deleting begins by it.
    """
    return not is_deleted(User.objects.select_for_update(no_key=True).get(pk=user_id))
