"""This will give a rental its shape in the REST API."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from ninja import Schema

from marketplace.domain.funding import Funding
from marketplace.domain.pricing import PriceType
from marketplace.domain.starts import Basis
from marketplace.rentals.rental_view import RentalView
from marketplace.rentals.requests import IdleRuleRequest
from protocol.hardware import Resources
from protocol.receipts import SignedInterval


class PendingPriceReply(Schema):
    """A higher price that the host asks; answer it, or it never holds."""

    price_hour_microusd: int
    #: no second before costs more, however soon you accept
    from_at: datetime
    #: the most that the rental costs with it
    worst_total_microusd: int
    #: you said no; you may still say yes, and no time is added without it
    declined: bool


class IdleRuleReply(IdleRuleRequest):
    #: null: it is in use, or nobody knows
    idle_since: datetime | None


class Ssh(Schema):
    host: str
    port: int
    user: str
    host_key: str
    command: str


class PortReply(Schema):
    inside: int
    #: the machine's address
    host: str
    #: null: not published yet
    outside: int | None


class MountedVolumeReply(Schema):
    id: UUID
    #: empty: you deleted it since
    name: str
    path: str
    size_bytes: int


class Change(Schema):
    """How the newest change is doing."""

    #: the machine has not made it yet; what ran before goes on
    pending: bool
    #: why it could not be made, such as image_pull_failed; what ran before goes on. Else empty
    problem_code: str
    problem: str


class FundsReply(Schema):
    """What is set aside for it."""

    funding: Funding
    #: now, less what was charged
    held_microusd: int
    #: what is set aside lasts until then, if it runs; null: to its end, or it does not run
    paid_until: datetime | None
    #: it ends then with its files, unless money comes before; null: money is there
    files_until: datetime | None


class FailoverReply(Schema):
    """Another machine takes it over if it does not come up on this one."""

    price_hour_microusd_max: int
    #: it came up, was taken over, or could not be
    settled: bool
    #: the rental that took its place; null: none did
    successor_id: UUID | None
    #: why none did, such as no_offer; empty: one did, or it was not needed
    problem_code: str


class ExpectedReply(Schema):
    """When it may be ready, if it does as others did."""

    #: by then half of them were, and by then 95 of 100
    half_by: datetime
    most_by: datetime
    #: what this is based on: rentals that came up, and all of those that began
    came_up: int
    begun: int
    #: where those were: on its machine, on all with its GPU (or without one), or on the whole site
    basis: Basis


class RentalReply(Schema):
    id: UUID
    #: empty: its renter gave it none
    name: str
    state: str
    progress: str
    #: why it ended, such as image_pull_failed or renter_ended; empty while it goes on
    reason_code: str
    reason: str
    machine_id: UUID
    #: what every receipt of this rental names
    placement_id: UUID
    offer_id: UUID
    image: str
    command: list[str]
    #: rises with every change of image, command, environment, ports or runtime
    edition: int
    change: Change
    ports: list[PortReply]
    volumes: list[MountedVolumeReply]
    resources: Resources
    #: of its GPUs, as it was rented; empty: it has none
    gpu_model: str
    #: of what comes: a change of the bid counts at once
    price_hour_microusd: int
    #: what an hour of it bids; null: nobody outbids it
    bid_microusd: int | None
    #: the lowest bid that wins its room now; null: it does not bid, none would, or it is in a list
    bids_from_microusd: int | None
    #: it was outbid, and stops then unless its bid wins again; null: it has no such notice
    outbid_stop_at: datetime | None
    #: it is stopped, and starts by itself once its bid wins
    resumes: bool
    #: it stops by itself when it is idle; null: it runs, idle or not
    idle_rule: IdleRuleReply | None
    price_type: PriceType
    #: null: its host asks no higher price
    pending_price: PendingPriceReply | None
    #: what an hour costs as it is now: stopped, its disk; while nothing is billed, 0
    burn_hour_microusd: int
    #: of a GB and 30 days while it is stopped, and of a GB of traffic
    storage_price_microusd: int
    network_price_microusd: int
    #: charged so far, and at most
    traffic_bytes: int
    traffic_bytes_max: int
    #: parts of the cost
    storage_microusd: int
    traffic_microusd: int
    worst_total_microusd: int
    funds: FundsReply
    #: less what came back, as less was delivered than was listed
    cost_microusd: int
    started_at: datetime
    active_at: datetime | None
    ends_at: datetime
    #: its host works on the machine from then on, which ends it sooner; null: not so
    maintenance_at: datetime | None
    ended_at: datetime | None
    billed_ms: int
    ssh: Ssh | None
    #: fingerprints of the keys that open it
    ssh_keys: list[str]
    #: null: no other machine was to take it over
    failover: FailoverReply | None
    #: null: it is up or over, or too little is known
    expected: ExpectedReply | None

    @classmethod
    def of(cls, view: RentalView) -> Self:
        """Return the reply for what the renter may see."""
        ssh = None
        if view.ssh_command and view.ssh_port:
            ssh = Ssh(
                host=view.ssh_host,
                port=view.ssh_port,
                user=view.ssh_user,
                host_key=view.ssh_host_key,
                command=view.ssh_command,
            )
        return cls(
            id=view.id,
            name=view.name,
            state=view.state,
            progress=view.progress,
            reason_code=view.reason_code,
            reason=view.reason,
            machine_id=view.machine_id,
            placement_id=view.placement_id,
            offer_id=view.offer_id,
            image=view.image,
            command=list(view.command),
            edition=view.edition,
            change=Change(
                pending=view.changing,
                problem_code=view.change_code,
                problem=view.change_reason,
            ),
            ports=[
                PortReply(inside=port.inside, host=view.ssh_host, outside=port.outside)
                for port in view.ports
            ],
            volumes=[MountedVolumeReply.from_orm(volume) for volume in view.volumes],
            resources=Resources.of(
                cpus=view.cpus,
                ram_bytes=view.ram_bytes,
                disk_bytes=view.disk_bytes,
                gpus=view.gpus,
            ),
            gpu_model=view.gpu_model if view.gpus else "",
            price_type=view.price_type,
            price_hour_microusd=view.price_hour_microusd,
            bid_microusd=view.bid_microusd,
            bids_from_microusd=view.bids_from_microusd,
            outbid_stop_at=view.outbid_stop_at,
            resumes=view.resumes,
            idle_rule=IdleRuleReply.from_orm(view.idle_rule) if view.idle_rule else None,
            pending_price=PendingPriceReply.from_orm(view.pending_price)
            if view.pending_price
            else None,
            burn_hour_microusd=view.burn_hour_microusd,
            storage_price_microusd=view.storage_price_microusd,
            network_price_microusd=view.network_price_microusd,
            traffic_bytes=view.traffic_bytes,
            traffic_bytes_max=view.traffic_bytes_max,
            storage_microusd=view.storage_microusd,
            traffic_microusd=view.traffic_microusd,
            worst_total_microusd=view.worst_total_microusd,
            funds=FundsReply.from_orm(view.funds),
            cost_microusd=view.cost_microusd,
            started_at=view.started_at,
            active_at=view.active_at,
            ends_at=view.ends_at,
            maintenance_at=view.maintenance_at,
            ended_at=view.ended_at,
            billed_ms=view.billed_ms,
            ssh=ssh,
            ssh_keys=list(view.ssh_keys),
            expected=ExpectedReply.from_orm(view.expected) if view.expected else None,
            failover=FailoverReply.from_orm(view.failover) if view.failover else None,
        )


class RentalList(Schema):
    items: list[RentalReply]
    #: null: this is the last page
    next_cursor: UUID | None


class Period(Schema):
    """Billed time at one price."""

    price_hour_microusd: int
    #: billed milliseconds before it, and of it
    from_ms: int
    ms: int
    cost_microusd: int
    #: why it began; empty: it is the first
    reason: str


class ChargedDay(Schema):
    #: of UTC
    day: date
    amount_microusd: int


class Receipts(Schema):
    machine_key: str
    intervals: list[SignedInterval]
    billed_ms: int
    cost_microusd: int
    #: the billed time by its prices, and what was charged by days; both on the last page
    periods: list[Period]
    charges: list[ChargedDay]
    #: give it back as ``cursor`` for the intervals that follow; null: these are the last
    next_cursor: int | None
