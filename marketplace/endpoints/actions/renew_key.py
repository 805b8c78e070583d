"""This will give an endpoint another key; the former one opens nothing from then on."""

from uuid import UUID

from marketplace.endpoints import key as keys
from marketplace.endpoints import queries
from marketplace.endpoints.actions.create import Created


def renew_key(*, endpoint_id: UUID, renter_id: int, made_by_id: int | None = None) -> Created:
    """Return the endpoint with its new key. Gateways know it within a second.

    ``made_by_id``: who is shown it, of a team; None: its renter is none.

    :raises EndpointUnknown: when this renter has no such endpoint.
    """
    queries.find(endpoint_id, renter_id)
    secret = keys.generate()
    queries.of_renter(renter_id).filter(id=endpoint_id).update(
        key_digest=keys.digest(secret), key_prefix=keys.prefix_of(secret), key_made_by_id=made_by_id
    )
    return Created(endpoint_id=endpoint_id, key=secret)
