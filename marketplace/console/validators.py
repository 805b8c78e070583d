"""This will find who validates, for staff."""

from collections.abc import Sequence

from marketplace.verification.models import Validator

ROWS_MAX = 200


def validators(limit: int = ROWS_MAX) -> Sequence[Validator]:
    """Return validators: those whose word counts first, of these the weightiest."""
    return tuple(Validator.objects.order_by("-admitted", "-stake", "id")[:limit])
