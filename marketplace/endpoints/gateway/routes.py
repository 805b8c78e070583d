"""This will read from the database which endpoints there are and where their replicas run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from marketplace.domain.placement import PlacementState
from marketplace.endpoints.models import Endpoint, Replica
from protocol.agent import Want


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a machine's agent listens, and the one host key that it must show."""

    key: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """A replica that runs."""

    placement_id: UUID
    http_port: int
    machine: Machine
    #: it was told to have answered; where it runs is the same before and after
    answered: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: who may ask it, and who answers."""

    endpoint_id: UUID
    renter_id: int
    key_digest: str
    targets: tuple[Target, ...] = ()


def read() -> Mapping[UUID, Route]:
    """Return every endpoint by its id; those of a renter who is shut out are none."""
    running = Replica.objects.filter(
        over_at=None,
        endpoint__deleted_at=None,
        endpoint__renter__is_active=True,
        placement__state=PlacementState.RUNNING,
        placement__want=Want.RUN,
    )
    targets: dict[UUID, list[Target]] = {}
    for endpoint_id, placement_id, http_port, key, address, port, reachable_at in running.order_by(
        "begun_at", "id"
    ).values_list(
        "endpoint_id",
        "placement_id",
        # Not all of it, several times a second: an environment alone may have 256 KiB.
        "endpoint__workload__http_port",
        "placement__machine__machine_key",
        "placement__machine__address",
        "placement__machine__control_port",
        "placement__reachable_at",
    ):
        machine = Machine(key=key, address=address, port=port)
        target = Target(placement_id, http_port, machine, answered=reachable_at is not None)
        targets.setdefault(endpoint_id, []).append(target)
    rows = Endpoint.objects.filter(deleted_at=None, renter__is_active=True).order_by("id")
    return {
        endpoint_id: Route(endpoint_id, renter_id, key_digest, tuple(targets.get(endpoint_id, ())))
        for endpoint_id, renter_id, key_digest in rows.values_list("id", "renter_id", "key_digest")
    }
