"""This will describe what the REST API answers.

An unknown field is ignored, so that a newer marketplace still speaks to an older client.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from protocol.hardware import Resources
from protocol.receipts import SignedInterval

#: states in which nothing changes any more
ENDED_STATES = ("ended", "failed")


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Me(Shape):
    email: str
    balance_microusd: int
    held_microusd: int


class SshKey(Shape):
    id: int | str
    name: str
    fingerprint: str
    public_key: str


class Offer(Shape):
    id: str
    machine_id: str
    gpu_model: str | None = ""
    gpus: int = 0
    gpus_free: int = 0
    vram_bytes: int | None = 0
    cpu_model: str | None = ""
    cpus_free: int = 0
    ram_bytes_free: int = 0
    disk_bytes_free: int = 0
    price_gpu_hour_microusd: int = 0
    price_cpu_hour_microusd: int = 0
    #: of the smallest slice that is free
    price_hour_microusd: int | None = None
    #: an hour of exactly what was asked for; None: nothing was
    price_asked_hour_microusd: int | None = None
    #: None: no bids
    bid_floor_microusd: int | None = None
    longest_term_s: int | None = None
    verified: bool = False
    #: why nobody vouches for it, where that is so of all machines of its kind
    unverified_reason: str = ""
    online: bool = False
    cpu_hash_rate: int | None = None
    #: price per measured performance; None: never measured
    value_microusd: int | None = None


class OfferPage(Shape):
    items: tuple[Offer, ...]
    next_cursor: str | None = None


class SshDoor(Shape):
    host: str
    port: int
    user: str
    #: "ssh-ed25519 AAAA..."
    host_key: str
    command: str = ""


class PublishedPort(Shape):
    inside: int
    host: str = ""
    #: None: not published yet
    outside: int | None = None


class MountedVolume(Shape):
    id: str
    #: empty: deleted since
    name: str = ""
    path: str
    size_bytes: int = 0


class Change(Shape):
    """How the newest change of a rental is doing."""

    pending: bool = False
    #: why it could not be made; what ran before goes on
    problem_code: str = ""
    problem: str = ""


class Rental(Shape):
    id: str
    state: str
    progress: str | None = ""
    #: why it ended, such as image_pull_failed or renter_ended
    reason_code: str | None = ""
    reason: str | None = ""
    machine_id: str | None = None
    #: what every receipt of this rental names
    placement_id: str | None = None
    offer_id: str | None = None
    image: str = ""
    command: tuple[str, ...] = ()
    #: rises with every change of what runs
    edition: int = 0
    change: Change = Change()
    ports: tuple[PublishedPort, ...] = ()
    volumes: tuple[MountedVolume, ...] = ()
    resources: Resources | None = None
    price_hour_microusd: int = 0
    #: the most this rental can cost if it runs to its end
    worst_total_microusd: int | None = None
    cost_microusd: int = 0
    started_at: datetime | None = None
    #: when the outside first saw the SSH door; billing starts here
    active_at: datetime | None = None
    ends_at: datetime | None = None
    #: its host works on the machine from then on, which ends it sooner
    maintenance_at: datetime | None = None
    ended_at: datetime | None = None
    billed_ms: int = 0
    #: None: no door yet, or no door any more
    ssh: SshDoor | None = None
    #: fingerprints of the keys that open it
    ssh_keys: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Say whether it has ended or failed."""
        return self.state in ENDED_STATES


class VolumeRequest(Shape):
    name: str
    path: str
    #: of a new one; None: it is there already
    size_bytes: int | None = None


class RegistryLogin(Shape):
    username: str
    password: str = Field(repr=False)


class RentalRequest(Shape):
    offer_id: str
    image: str
    resources: Resources
    lease_s: int | None = None
    cap_microusd: int | None = None
    #: None: every key of the account
    ssh_key_ids: tuple[int | str, ...] | None = None
    environment: dict[str, str] = {}
    #: empty: the image's own
    command: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    volumes: tuple[VolumeRequest, ...] = ()
    registry_login: RegistryLogin | None = None
    runtime: str = ""
    bid_microusd: int | None = None
    #: refuse when an hour costs more; None: any price
    price_hour_microusd_max: int | None = None


class ChangeRequest(Shape):
    """None stays as it is."""

    image: str | None = None
    environment: dict[str, str] | None = None
    command: tuple[str, ...] | None = None
    ports: tuple[int, ...] | None = None
    runtime: str | None = None
    registry_login: RegistryLogin | None = None


class Volume(Shape):
    id: str
    name: str
    size_bytes: int
    machine_id: str
    #: making, ready, refused or deleting
    state: str
    problem: str = ""
    in_use: bool = False


class Receipts(Shape):
    machine_key: str
    intervals: tuple[SignedInterval, ...]
    billed_ms: int
    cost_microusd: int
    #: None: these are the last
    next_cursor: int | None = None


class GpuUse(Shape):
    uuid: str
    busy_percent: int | None = None
    memory_bytes: int | None = None


class UsagePoint(Shape):
    """What a rental held at one moment, and used since the moment before it; None: not known."""

    at: datetime
    #: thousandths of a CPU core
    cpu_milli: int | None
    memory_bytes: int
    disk_used_bytes: int | None
    disk_bytes: int | None
    received_bytes_s: int | None
    sent_bytes_s: int | None
    gpus: tuple[GpuUse, ...] = ()


class Incident(Shape):
    """What went wrong, as the machine tells it; ``blame`` is a hint: renter, machine or unknown."""

    at: datetime
    kind: str
    blame: str
    count: int
    sentence: str


class Usage(Shape):
    #: of the last hour, the oldest first
    points: tuple[UsagePoint, ...]
    #: newest first
    incidents: tuple[Incident, ...]


class StatementLine(Shape):
    """All charges of one rental, or one other movement."""

    #: of the first charge
    since: datetime
    #: of the newest
    at: datetime
    kind: str
    amount_microusd: int
    note: str | None = ""
    #: the sum of this line and all older ones
    total_microusd: int


class Statement(Shape):
    items: tuple[StatementLine, ...]
    #: can be spent
    balance_microusd: int
    #: set aside for rentals
    held_microusd: int
    #: None: these are the oldest lines
    next_cursor: str | None = None


class TopUp(Shape):
    id: int | str
    state: str
    reason: str | None = ""


class OfferFilter(Shape):
    """What an offer must have; None: anything goes."""

    q: str | None = None
    gpu_model: str | None = None
    gpus_min: int | None = None
    vram_bytes_min: int | None = None
    cpus_min: int | None = None
    ram_bytes_min: int | None = None
    disk_bytes_min: int | None = None
    price_hour_microusd_max: int | None = None
    #: False: unverified machines too
    verified: bool | None = None
    sort: Literal["price", "value"] | None = None
    cursor: str | None = None
