"""This will describe what the REST API answers.

An unknown field is ignored, so that a newer marketplace still speaks to an older client.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from protocol.hardware import Resources

#: states in which nothing changes any more
ENDED_STATES = ("ended", "failed")


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Credit(Shape):
    """Credit that was given: it is spent before money, and ends."""

    left_microusd: int
    expires_at: datetime
    note: str = ""


class Me(Shape):
    email: str
    #: whose the rest is; None: the person's own
    team: str | None = None
    #: can be spent, credit too
    balance_microusd: int
    held_microusd: int
    #: set aside while payments are disputed
    frozen_microusd: int = 0
    #: by machines of theirs, and not paid out
    earned_microusd: int = 0
    credit: tuple[Credit, ...] = ()


class SshKey(Shape):
    id: int | str
    name: str
    fingerprint: str
    public_key: str


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


class IdleRule(Shape):
    """A rental stops, its files kept, after so long below so much use."""

    after_s: int
    below_percent: int
    #: None: it is in use, or nobody knows
    idle_since: datetime | None = None


class PendingPrice(Shape):
    """A higher price that the host asks; without a yes it never holds."""

    price_hour_microusd: int
    #: no second before costs more
    from_at: datetime | None = None
    #: the most that the rental costs with it
    worst_total_microusd: int = 0
    #: its renter said no; a yes is still possible
    declined: bool = False


class Funds(Shape):
    """What is set aside for a rental."""

    #: whole or rolling
    funding: str = "whole"
    held_microusd: int = 0
    #: it lasts until then, if it runs; None: to its end, or it does not run
    paid_until: datetime | None = None
    #: it ends then with its files, unless money comes before; None: money is there
    files_until: datetime | None = None


class Failover(Shape):
    """Another machine takes the rental over if it does not come up on this one."""

    price_hour_microusd_max: int = 0
    #: it came up, was taken over, or could not be
    settled: bool = True
    #: what took its place; None: nothing did
    successor_id: str | None = None
    #: why nothing did, such as no_offer
    problem_code: str = ""


class Expected(Shape):
    """When a rental may be ready, if it does as others did."""

    #: by then half of them were, and by then 95 of 100
    half_by: datetime
    most_by: datetime
    #: where those were: machine, kind or site
    basis: str = "machine"


class Rental(Shape):
    id: str
    #: what you call it; empty: it has none
    name: str = ""
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
    #: of its GPUs; empty: it has none
    gpu_model: str = ""
    price_hour_microusd: int = 0
    #: what an hour of it bids; None: nobody outbids it
    bid_microusd: int | None = None
    #: the lowest bid that wins its room now; None: none would, or it is in a list
    bids_from_microusd: int | None = None
    #: None: it is up or over, or too little is known
    expected: Expected | None = None
    #: it was outbid, and stops then unless its bid wins again
    outbid_stop_at: datetime | None = None
    #: it is stopped, and starts by itself once its bid wins
    resumes: bool = False
    #: on_demand, reserved or interruptible
    price_type: str = ""
    #: None: its host asks no higher price
    pending_price: PendingPrice | None = None
    #: what an hour costs as it is now
    burn_hour_microusd: int | None = None
    #: of a GB and 30 days while it is stopped, and of a GB of traffic
    storage_price_microusd: int = 0
    network_price_microusd: int = 0
    #: charged so far, and at most
    traffic_bytes: int = 0
    traffic_bytes_max: int = 0
    #: parts of the cost
    storage_microusd: int = 0
    traffic_microusd: int = 0
    #: it stops by itself when it is idle; None: it runs, idle or not
    idle_rule: IdleRule | None = None
    #: the most this rental can cost if it runs to its end
    worst_total_microusd: int | None = None
    funds: Funds = Funds()
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
    #: None: no other machine was to take it over
    failover: Failover | None = None

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
    #: reserved: the whole term at the offer's discount; None: on demand, or by a bid
    price_type: str | None = None
    #: traffic that is paid for at most; None: the usual
    traffic_bytes_max: int | None = None
    #: rolling: an hour is set aside and renewed while it runs, instead of all that it may cost
    funding: Literal["whole", "rolling"] = "whole"
    #: another machine takes it over for so much an hour if it does not come up; None: none does
    failover_price_hour_microusd_max: int | None = None
    #: refuse when an hour costs more; None: any price
    price_hour_microusd_max: int | None = None
    #: what you call it; nobody else sees that
    name: str = ""


class ChangeRequest(Shape):
    """None stays as it is."""

    image: str | None = None
    environment: dict[str, str] | None = None
    command: tuple[str, ...] | None = None
    ports: tuple[int, ...] | None = None
    runtime: str | None = None
    registry_login: RegistryLogin | None = None
    #: empty: it has none from now on
    name: str | None = None


class Volume(Shape):
    id: str
    name: str
    size_bytes: int
    machine_id: str
    #: making, ready, refused or deleting
    state: str
    problem: str = ""
    in_use: bool = False


class Happened(Shape):
    """One thing that happened to a rental."""

    at: datetime
    event: str
    sentence: str
    #: why; both empty: nothing is to be explained
    code: str = ""
    reason: str = ""


class Events(Shape):
    items: tuple[Happened, ...] = ()
    #: as ``cursor`` it gives the next page; None: there is none
    next_cursor: str | None = None
