"""This will delete an endpoint: its replicas end, and callers find it no more."""

from datetime import datetime
from uuid import UUID

from marketplace.endpoints import queries
from marketplace.endpoints.actions.tend import tend


def delete(*, endpoint_id: UUID, renter_id: int, now: datetime) -> None:
    """Delete the endpoint; nothing of it is charged after this moment.

    :raises EndpointUnknown: when this renter has no such endpoint.
    """
    queries.find(endpoint_id, renter_id)
    queries.of_renter(renter_id).filter(id=endpoint_id).update(deleted_at=now, registry_login="")
    tend(now=now, endpoint_id=endpoint_id)
