"""This will send a replica away and keep its endpoint off its machine: its host fails, or worse."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.endpoint import SENTENCES, Reason
from marketplace.domain.problem import Refused
from marketplace.endpoints import queries
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.models import Replica
from marketplace.placements.actions.request_end import request_end


class ReplicaUnknown(Refused):
    """The endpoint never had such a replica."""

    code = "not_found"
    status = 404
    sentence = "Your endpoint has no such replica."


def dismiss(*, endpoint_id: UUID, placement_id: UUID, renter_id: int, now: datetime) -> None:
    """End it, and whatever else of the endpoint is on its machine; none begins there any more.

    Another one begins in its place on another machine, where one has room.

    :raises EndpointUnknown: when this renter has no such endpoint.
    :raises ReplicaUnknown: when the endpoint never had this replica.
    """
    with transaction.atomic():
        # One that is beginning there is begun by then, and ended below.
        mine = queries.of_renter(renter_id).select_for_update().filter(id=endpoint_id)
        if mine.defer("workload").first() is None:
            raise queries.EndpointUnknown
        replica = Replica.objects.filter(endpoint_id=endpoint_id, placement_id=placement_id)
        machine_id = replica.values_list("placement__machine_id", flat=True).first()
        if machine_id is None:
            raise ReplicaUnknown
        replica.update(dismissed_at=now)
    for one in queries.going_on(endpoint_id).filter(placement__machine_id=machine_id):
        request_end(
            placement_id=one.placement_id,
            reason_code=Reason.DISMISSED,
            reason=SENTENCES[Reason.DISMISSED],
            now=now,
        )
    tend(now=now, endpoint_id=endpoint_id)
