"""This will change how many replicas an endpoint has, and what each may cost."""

from datetime import datetime
from uuid import UUID

from marketplace.endpoints import queries
from marketplace.endpoints.actions.tend import tend


def scale(
    *,
    endpoint_id: UUID,
    renter_id: int,
    replicas: int | None,
    price_hour_microusd_max: int | None,
    now: datetime,
) -> None:
    """Want so many replicas from now on, zero to stop it. None: as is.

    What waits for a machine or for money is tried at once, what failed only when its time has come.
    A lower price ends no replica that costs more: it holds for those that begin.

    :raises EndpointUnknown: when this renter has no such endpoint.
    """
    queries.find(endpoint_id, renter_id)
    changes: dict[str, int] = {}
    if replicas is not None:
        changes["wanted"] = replicas
    if price_hour_microusd_max is not None:
        changes["price_hour_microusd_max"] = price_hour_microusd_max
    mine = queries.of_renter(renter_id).filter(id=endpoint_id)
    mine.update(waits=0, **changes)
    mine.filter(failures=0).update(retry_at=None)
    tend(now=now, endpoint_id=endpoint_id)
