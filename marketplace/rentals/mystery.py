"""This will name the account that rents machines only to see how they do, as a stranger would.

A host who knew which rentals these are could serve them alone, so nothing about them is special but
who pays: an ordinary account, which an operator names in BERTH_MYSTERY_RENTER and gives money.
Source: docs/decisions/0054-mystery-rentals.md
"""

from django.conf import settings

from marketplace.accounts.models import User


def renter_id() -> int | None:
    """Return whose rentals these are; None: the site rents nothing itself."""
    address = settings.MYSTERY_RENTER
    if not address:
        return None
    known = User.objects.filter(email__iexact=address, is_active=True)
    return known.values_list("pk", flat=True).first()
