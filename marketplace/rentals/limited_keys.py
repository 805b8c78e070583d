"""This will keep API keys with a spend limit to the rentals that they started."""

from uuid import UUID

from django.http import HttpRequest

from marketplace.accounts.bearer import caller, caller_key
from marketplace.ledger.actions import spend_limit
from marketplace.rentals import queries


def check_own_rental(request: HttpRequest, rental_id: UUID) -> None:
    """Accept that the caller's key raises what the rental may cost.

    :raises RentalUnknown: when the caller has no such rental.
    :raises KeysOwnOnly: when the key has a limit and did not start it.
    """
    rental = queries.find(rental_id, caller(request).pk)
    hold_key_id = rental.meter.hold.api_key_id
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=hold_key_id)
