"""This will answer how a renter's endpoints do, and which gateways machines let in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Q, QuerySet, Sum

from marketplace.domain import door as doors
from marketplace.domain import endpoint as domain
from marketplace.domain.endpoint import EndpointState
from marketplace.domain.placement import LIVE, PlacementState
from marketplace.domain.problem import Refused
from marketplace.endpoints.models import Endpoint, Gateway, Replica
from marketplace.placements.models import Placement
from protocol.agent import Want
from protocol.hardware import Resources
from protocol.workload import PlacementKind, Workload

#: the looks of the eldest gateway that said something so lately count
GATEWAY_SILENT = timedelta(minutes=3)


class EndpointUnknown(Refused):
    """There is no such endpoint, or it is somebody else's."""

    code = "not_found"
    status = 404
    sentence = "You have no such endpoint."


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as its renter sees it."""

    #: what the machine's receipts name
    placement_id: UUID
    machine_id: UUID
    offer_id: UUID
    #: starting, ready, silent or ending
    state: str
    progress: str
    price_hour_microusd: int
    cost_microusd: int
    begun_at: datetime
    #: when it answered first; None: not yet
    ready_at: datetime | None
    funded_until: datetime


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as its renter sees it."""

    id: UUID
    name: str
    state: EndpointState
    url: str
    image: str
    command: tuple[str, ...]
    http_port: int
    resources: Resources
    gpu_model: str
    #: how many are wanted
    replicas_wanted: int
    replicas_ready: int
    price_hour_microusd_max: int
    #: of all that answer or will
    price_hour_microusd: int
    #: of all replicas that it ever had
    cost_microusd: int
    key_prefix: str
    problem_code: str
    problem: str
    #: None: nothing waits
    retry_at: datetime | None
    created_at: datetime
    replicas: tuple[ReplicaView, ...]


def view(endpoint_id: UUID, renter_id: int) -> EndpointView:
    """Return one endpoint of this renter.

    :raises EndpointUnknown: when there is none.
    """
    return _views([find(endpoint_id, renter_id)])[0]


def views(renter_id: int) -> Sequence[EndpointView]:
    """Return the renter's endpoints, newest first."""
    return _views(list(of_renter(renter_id).order_by("-created_at", "id")))


def find(endpoint_id: UUID, renter_id: int) -> Endpoint:
    """Return one endpoint of this renter.

    :raises EndpointUnknown: when there is none.
    """
    endpoint = of_renter(renter_id).filter(id=endpoint_id).first()
    if endpoint is None:
        raise EndpointUnknown
    return endpoint


def of_renter(renter_id: int) -> QuerySet[Endpoint]:
    """Return the renter's endpoints that are not deleted."""
    return Endpoint.objects.filter(renter_id=renter_id, deleted_at=None)


def going_on(endpoint_id: UUID | None = None) -> QuerySet[Replica]:
    """Return the replicas whose end was not taken into account, of one endpoint or of all."""
    found = Replica.objects.filter(over_at=None).select_related("placement", "offer")
    found = found.defer("placement__workload", "placement__former_workload")
    if endpoint_id is not None:
        found = found.filter(endpoint_id=endpoint_id)
    return found.order_by("begun_at", "id")


def is_over(replica: Replica) -> bool:
    """Say whether its end was asked for or told."""
    return replica.placement.want == Want.END


def standing(replica: Replica, now: datetime, *, blind_at: datetime | None) -> domain.Replica:
    """Return what decides about a replica that goes on.

    ``blind_at``: when a gateway last saw nothing at all. It was no replica's fault up to then, nor
    what was missed before it: a gateway goes blind one look after the other.
    """
    placement, offer = replica.placement, replica.offer
    door = placement.door
    longest_s = offer.opening.longest_s(offer.longest_term_s, begins_at=replica.begun_at, now=now)
    return domain.Replica(
        placement_id=placement.id,
        created_at=placement.created_at,
        waits_since=_later(placement.running_at, blind_at),
        answered_at=placement.reachable_at,
        silent_since=_later(door.missed_at, blind_at) if door else None,
        stopped=placement.want == Want.STOP,
        lost=door is not None and doors.is_lost(door),
        funded_until=placement.funded_until,
        longest_until=replica.begun_at + timedelta(seconds=longest_s),
    )


def blind_at(now: datetime) -> datetime | None:
    """Return when a gateway last saw nothing at all, or was not there; None: none ever."""
    if not telling_gateway(now):
        return now
    newest: datetime | None = Gateway.objects.aggregate(at=Max("blind_at"))["at"]
    return newest


def gateway_keys() -> tuple[str, ...]:
    """Return the keys of the gateways that machines with replicas let in."""
    return tuple(Gateway.objects.order_by("id").values_list("public_key", flat=True))


def telling_gateway(now: datetime) -> Gateway | None:
    """Return the gateway whose looks count: the eldest that is there; None: there is none."""
    present = Gateway.objects.filter(seen_at__gt=now - GATEWAY_SILENT)
    return present.order_by("registered_at", "id").first()


def machines_with_replicas() -> Sequence[UUID]:
    """Return the machines that gateways may have to reach."""
    live = Placement.objects.filter(kind=PlacementKind.REPLICA, state__in=LIVE)
    return tuple(live.order_by("machine_id").values_list("machine_id", flat=True).distinct())


def _later(since: datetime | None, blind_at: datetime | None) -> datetime | None:
    return since if since is None or blind_at is None else max(since, blind_at)


def _views(endpoints: Sequence[Endpoint]) -> list[EndpointView]:
    ids = [endpoint.id for endpoint in endpoints]
    shown = Replica.objects.filter(Q(over_at=None) | Q(placement__state__in=LIVE))
    found: dict[UUID, list[Replica]] = {}
    rows = shown.filter(endpoint_id__in=ids).select_related("placement", "meter")
    for replica in rows.order_by("begun_at", "id"):
        found.setdefault(replica.endpoint_id, []).append(replica)
    sums = Replica.objects.filter(endpoint_id__in=ids).values("endpoint_id").order_by("endpoint_id")
    costs = {
        row["endpoint_id"]: int(row["cost"] or 0)
        for row in sums.annotate(cost=Sum("meter__charged_microusd"))
    }
    return [_view(endpoint, found.get(endpoint.id, ()), costs) for endpoint in endpoints]


def _view(
    endpoint: Endpoint, replicas: Iterable[Replica], costs: Mapping[UUID, int]
) -> EndpointView:
    workload = Workload.model_validate(endpoint.workload)
    shown = tuple(_replica_view(replica) for replica in replicas)
    ready = sum(one.state == "ready" for one in shown)
    return EndpointView(
        id=endpoint.id,
        name=endpoint.name,
        state=domain.state_of(wanted=endpoint.wanted, ready=ready),
        url=f"{settings.GATEWAY_URL}/{endpoint.id}",
        image=workload.image,
        command=workload.command,
        http_port=workload.http_port or 0,
        resources=workload.resources,
        gpu_model=endpoint.gpu_model,
        replicas_wanted=endpoint.wanted,
        replicas_ready=ready,
        price_hour_microusd_max=endpoint.price_hour_microusd_max,
        price_hour_microusd=sum(one.price_hour_microusd for one in shown if one.state != "ending"),
        cost_microusd=costs.get(endpoint.id, 0),
        key_prefix=endpoint.key_prefix,
        problem_code=endpoint.problem_code,
        problem=endpoint.problem,
        retry_at=endpoint.retry_at,
        created_at=endpoint.created_at,
        replicas=shown,
    )


def _replica_view(replica: Replica) -> ReplicaView:
    placement = replica.placement
    return ReplicaView(
        placement_id=placement.id,
        machine_id=placement.machine_id,
        offer_id=replica.offer_id,
        state=_state(placement),
        progress=placement.progress,
        price_hour_microusd=replica.meter.price_hour_microusd,
        cost_microusd=replica.meter.charged_microusd,
        begun_at=replica.begun_at,
        ready_at=placement.reachable_at,
        funded_until=placement.funded_until,
    )


def _state(placement: Placement) -> str:
    if placement.want == Want.END:
        return "ending"
    if placement.state != PlacementState.RUNNING or placement.door is None:
        return "starting"
    return "silent" if placement.door_missed_at is not None else "ready"
