"""This will delete an endpoint: its replicas end, and callers find it no more."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.endpoints import queries
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.models import Endpoint


def delete(*, endpoint_id: UUID, renter_id: int, now: datetime) -> None:
    """Delete the endpoint; nothing of it is charged after this moment.

    :raises EndpointUnknown: when this renter has no such endpoint.
    """
    with transaction.atomic():
        # Locked, as a replica may be beginning: its row would name what is gone.
        mine = queries.of_renter(renter_id).select_for_update().filter(id=endpoint_id)
        endpoint = mine.defer("workload").first()
        if endpoint is None:
            raise queries.EndpointUnknown
        _delete(endpoint, now)
    tend(now=now, endpoint_id=endpoint_id)


def _delete(endpoint: Endpoint, now: datetime) -> None:
    if not endpoint.replicas.exists():
        endpoint.delete()
        return
    # What its replicas cost is kept, what they ran is not: that may be large.
    rows = Endpoint.objects.filter(id=endpoint.id)
    rows.update(deleted_at=now, registry_login="", workload={})
