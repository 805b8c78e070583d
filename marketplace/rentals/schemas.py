"""This will give a rental its shape in the REST API."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from ninja import Schema
from pydantic import Field

from marketplace.domain.funding import Funding
from marketplace.domain.idle import AFTER_S_MAX, AFTER_S_MIN
from marketplace.domain.pricing import PriceType
from marketplace.json_body import JsonBody
from marketplace.rentals.queries import RentalView
from marketplace.volumes.models import NAME
from protocol.agent import PASSWORD_MOST
from protocol.hardware import Resources
from protocol.receipts import SignedInterval
from protocol.workload import COMMAND_WORD_MOST, COMMAND_WORDS_MOST, PORTS_MOST, VOLUMES_MOST, Port

Image = Annotated[str, Field(min_length=1, max_length=500)]
Command = Annotated[
    list[Annotated[str, Field(max_length=COMMAND_WORD_MOST)]], Field(max_length=COMMAND_WORDS_MOST)
]
Environment = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")],
        Annotated[str, Field(max_length=8192)],
    ],
    # Other names are refused, which the library does not say by itself.
    Field(max_length=200, json_schema_extra={"additionalProperties": False}),
]
Ports = Annotated[list[Port], Field(max_length=PORTS_MOST)]
Runtime = Annotated[str, Field(max_length=63)]


class VolumeRequest(JsonBody):
    """A volume of yours on this machine, or a new one."""

    name: Annotated[str, Field(pattern=NAME)]
    #: where it is inside, such as /data
    path: Annotated[str, Field(max_length=255)]
    #: of a new one, reserved at once; null: it is there already
    size_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 50)] | None = None


class RegistryLoginRequest(JsonBody):
    """Who may fetch a private image: kept encrypted until it is on the machine, then deleted."""

    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Annotated[str, Field(min_length=1, max_length=PASSWORD_MOST, repr=False)]


class LimitsRequest(JsonBody):
    """What bounds a rental and how it is paid."""

    #: reserved: the whole term is paid at the discount that the offer names. Null: on demand, or
    #: interruptible with a bid
    price_type: PriceType | None = None
    #: seconds; at least one of lease_s and cap_microusd
    lease_s: Annotated[int, Field(gt=0, le=366 * 86_400)] | None = None
    cap_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None
    #: an hour, instead of the offer's price; only where the offer names a floor for bids
    bid_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None
    #: traffic that you pay for at most, both ways together, where the offer has a price for it: a
    #: rental that reaches it is stopped. Null: 10 GB
    traffic_bytes_max: Annotated[int, Field(ge=0, le=1 << 50)] | None = None
    #: rolling: an hour is set aside and renewed from your balance while it runs, and without money
    #: it stops and keeps its files for 7 days
    funding: Funding = Funding.WHOLE


class PendingPriceReply(Schema):
    """A higher price that the host asks; answer it, or it never holds."""

    price_hour_microusd: int
    #: no second before costs more, however soon you accept
    from_at: datetime
    #: the most that the rental costs with it
    worst_total_microusd: int
    #: you said no; you may still say yes, and no time is added without it
    declined: bool


class RentalRequest(LimitsRequest):
    offer_id: UUID
    image: Image
    resources: Resources
    #: null: all your keys
    ssh_key_ids: Annotated[list[UUID], Field(max_length=50)] | None = None
    environment: Environment = Field(default_factory=dict)
    #: empty: the image's own
    command: Command = Field(default_factory=list)
    #: TCP ports inside that the machine publishes beside the SSH door; it chooses the ports outside
    ports: Ports = Field(default_factory=list)
    volumes: Annotated[list[VolumeRequest], Field(max_length=VOLUMES_MOST)] = Field(
        default_factory=list
    )
    registry_login: RegistryLoginRequest | None = None
    #: what starts the container, such as runsc, where the host has it; empty: the host's choice
    runtime: Runtime = ""
    #: refuse with price_raised if an hour costs more by now; null: any price
    price_hour_microusd_max: Annotated[int, Field(ge=0, le=10**15)] | None = None
    #: if this machine does not bring it up, the next best one with the same GPUs does, for so much
    #: an hour at most and the same total; null: none does
    failover_price_hour_microusd_max: Annotated[int, Field(gt=0, le=10**15)] | None = None


class ChangeRequest(JsonBody):
    """What is left out stays as it is; what is named replaces all of it."""

    image: Image | None = None
    environment: Environment | None = None
    command: Command | None = None
    ports: Ports | None = None
    runtime: Runtime | None = None
    #: for a private image
    registry_login: RegistryLoginRequest | None = None


class BidRequest(JsonBody):
    #: an hour, at least the host's floor; no more than the price without a bid is ever charged
    bid_microusd: Annotated[int, Field(gt=0, le=10**15)]


class IdleRuleRequest(JsonBody):
    """Stop it, its files kept, when it is idle."""

    #: seconds of readings below, without a gap
    after_s: Annotated[int, Field(ge=AFTER_S_MIN, le=AFTER_S_MAX)]
    #: of its busiest GPU, or without a GPU of its cores together
    below_percent: Annotated[int, Field(ge=1, le=100)] = 5


class IdleRuleReply(IdleRuleRequest):
    #: null: it is in use, or nobody knows
    idle_since: datetime | None


class SshKeysRequest(JsonBody):
    """Which keys open the rental from now on, and no others."""

    #: null: all your keys
    ssh_key_ids: Annotated[list[UUID], Field(min_length=1, max_length=50)] | None = None


class ExtendRequest(JsonBody):
    """A limit that is left out stays as it is."""

    #: seconds from the rental's start
    lease_s: Annotated[int, Field(gt=0, le=366 * 86_400)] | None = None
    cap_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None


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
    """When it may be ready, if it does as others did on its machine."""

    #: by then half of them were, and by then 95 of 100
    half_by: datetime
    most_by: datetime
    #: what this is based on: rentals that came up, and all of those that began
    came_up: int
    begun: int


class RentalReply(Schema):
    id: UUID
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
    #: null: it is up or over, or too little is known of its machine
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
