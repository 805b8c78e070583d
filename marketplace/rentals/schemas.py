"""This will give a rental its shape in the REST API."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from ninja import Schema
from pydantic import Field

from marketplace.rentals.queries import RentalView
from marketplace.volumes.models import NAME
from protocol.hardware import Resources
from protocol.receipts import SignedInterval
from protocol.workload import PORTS_MOST, VOLUMES_MOST, Port

Image = Annotated[str, Field(min_length=1, max_length=500)]
Command = Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=256)]
Environment = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")],
        # No process can have a variable with a NUL in it.
        Annotated[str, Field(max_length=8192, pattern=r"^[^\x00]*$")],
    ],
    Field(max_length=200),
]
Ports = Annotated[list[Port], Field(max_length=PORTS_MOST)]
Runtime = Annotated[str, Field(max_length=63)]


class VolumeRequest(Schema):
    """A volume of yours on this machine, or a new one."""

    name: Annotated[str, Field(pattern=NAME)]
    #: where it is inside, such as /data
    path: Annotated[str, Field(max_length=255)]
    #: of a new one, reserved at once; null: it is there already
    size_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 50)] | None = None


class RegistryLoginRequest(Schema):
    """Who may fetch a private image: kept encrypted until it is on the machine, then deleted."""

    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Annotated[str, Field(min_length=1, max_length=4096, repr=False)]


class RentalRequest(Schema):
    offer_id: UUID
    image: Image
    resources: Resources
    #: seconds; at least one of lease_s and cap_microusd
    lease_s: Annotated[int, Field(gt=0, le=366 * 86_400)] | None = None
    cap_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None
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
    #: an hour, instead of the offer's price; only where the offer names a floor for bids
    bid_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None
    #: refuse with price_raised if an hour costs more by now; null: any price
    price_hour_microusd_max: Annotated[int, Field(ge=0, le=10**15)] | None = None


class ChangeRequest(Schema):
    """What is left out stays as it is; what is named replaces all of it."""

    image: Image | None = None
    environment: Environment | None = None
    command: Command | None = None
    ports: Ports | None = None
    runtime: Runtime | None = None
    #: for a private image
    registry_login: RegistryLoginRequest | None = None


class SshKeysRequest(Schema):
    """Which keys open the rental from now on, and no others."""

    #: null: all your keys
    ssh_key_ids: Annotated[list[UUID], Field(min_length=1, max_length=50)] | None = None


class ExtendRequest(Schema):
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


class VolumeReply(Schema):
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
    volumes: list[VolumeReply]
    resources: Resources
    price_hour_microusd: int
    worst_total_microusd: int
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
            volumes=[VolumeReply.from_orm(volume) for volume in view.volumes],
            resources=Resources.of(
                cpus=view.cpus,
                ram_bytes=view.ram_bytes,
                disk_bytes=view.disk_bytes,
                gpus=view.gpus,
            ),
            price_hour_microusd=view.price_hour_microusd,
            worst_total_microusd=view.worst_total_microusd,
            cost_microusd=view.cost_microusd,
            started_at=view.started_at,
            active_at=view.active_at,
            ends_at=view.ends_at,
            maintenance_at=view.maintenance_at,
            ended_at=view.ended_at,
            billed_ms=view.billed_ms,
            ssh=ssh,
            ssh_keys=list(view.ssh_keys),
        )


class RentalList(Schema):
    items: list[RentalReply]
    #: null: this is the last page
    next_cursor: UUID | None


class Receipts(Schema):
    machine_key: str
    intervals: list[SignedInterval]
    billed_ms: int
    cost_microusd: int
    #: give it back as ``cursor`` for the intervals that follow; null: these are the last
    next_cursor: int | None
