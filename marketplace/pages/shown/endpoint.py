"""This will prepare a renter's endpoints for their page."""

from dataclasses import dataclass
from uuid import UUID

from marketplace.domain.endpoint import REPLICAS_MAX, EndpointState
from marketplace.domain.money import format_usd
from marketplace.endpoints.queries import EndpointView, ReplicaView

LABELS = {
    EndpointState.STARTING: ("Starting", "busy"),
    EndpointState.DEGRADED: ("Some replicas answer", "busy"),
    EndpointState.READY: ("Ready", "good"),
    EndpointState.STOPPED: ("Stopped", "idle"),
}
REPLICA_LABELS = {
    "starting": ("Starting", "busy"),
    "ready": ("Answers", "good"),
    "silent": ("Does not answer", "bad"),
    "ending": ("Ending", "busy"),
}


@dataclass(frozen=True, slots=True)
class ReplicaLine:
    machine: str
    label: str
    tone: str
    progress: str
    price: str
    cost: str
    #: empty: it ends already
    dismiss_url: str


@dataclass(frozen=True, slots=True)
class EndpointCard:
    short_id: str
    name: str
    label: str
    tone: str
    url: str
    image: str
    #: "1 of 2"
    ready: str
    price: str
    cost: str
    key_prefix: str
    problem: str
    scale_url: str
    delete_url: str
    #: how many replicas there may be, and whether it is so many now
    choices: tuple[tuple[int, bool], ...]
    replicas: tuple[ReplicaLine, ...]


def card(view: EndpointView) -> EndpointCard:
    """Return an endpoint as the page shows it."""
    label, tone = LABELS[view.state]
    wanted = view.replicas_wanted
    return EndpointCard(
        short_id=str(view.id)[:8],
        name=view.name,
        label=label,
        tone=tone,
        url=view.url,
        image=view.image,
        ready=f"{view.replicas_ready} of {wanted}",
        price=f"{format_usd(view.price_hour_microusd)} an hour",
        cost=format_usd(view.cost_microusd),
        key_prefix=view.key_prefix,
        problem=view.problem,
        scale_url=f"/endpoints/{view.id}/scale",
        delete_url=f"/endpoints/{view.id}/delete",
        choices=tuple((number, number == wanted) for number in range(REPLICAS_MAX + 1)),
        replicas=tuple(_line(replica, view.id) for replica in view.replicas),
    )


def _line(replica: ReplicaView, endpoint_id: UUID) -> ReplicaLine:
    dismiss_url = f"/endpoints/{endpoint_id}/replicas/{replica.placement_id}/dismiss"
    label, tone = REPLICA_LABELS[replica.state]
    return ReplicaLine(
        machine=str(replica.machine_id)[:8],
        label=label,
        tone=tone,
        progress=replica.progress,
        price=f"{format_usd(replica.price_hour_microusd)} an hour",
        cost=format_usd(replica.cost_microusd),
        dismiss_url="" if replica.state == "ending" else dismiss_url,
    )
