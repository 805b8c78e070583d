"""This will name the account that rents machines only to see how they do, as a stranger would.

A host who knew which rentals these are could serve them alone, so nothing about them is special but
who pays: an ordinary account, which an operator names in BERTH_MYSTERY_RENTER and gives money.
Source: docs/decisions/0054-mystery-rentals.md
"""

from allauth.account.models import EmailAddress
from django.conf import settings


def renter_id() -> int | None:
    """Return whose rentals these are; None: the site rents nothing itself."""
    address = settings.MYSTERY_RENTER
    if not address:
        return None
    # Unproven it may be anybody's, who signed up with it before the operator did.
    proven = EmailAddress.objects.filter(email__iexact=address, verified=True, user__is_active=True)
    known: int | None = proven.values_list("user_id", flat=True).first()
    return known
