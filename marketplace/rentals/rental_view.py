"""This will say what a rental is like, as its renter sees it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from marketplace.accounts.ssh_key import fingerprint_of
from marketplace.domain.delivered import price
from marketplace.domain.money import MS_PER_HOUR
from marketplace.domain.placement import PlacementState
from marketplace.domain.pricing import PriceType
from marketplace.domain.rental import RentalState, state_of
from marketplace.domain.starts import Expected, Kinds
from marketplace.domain.upkeep import storage_cost, traffic_bytes
from marketplace.metering.models import SideMeter
from marketplace.placements.models import Placement
from marketplace.rentals.expected import expected_of
from marketplace.rentals.failovers import FailoverView, failover_of
from marketplace.rentals.funds import FundsView, funds
from marketplace.rentals.models import IdleRule, Rental
from marketplace.rentals.pending_price import PendingPrice, pending_price
from marketplace.volumes.models import Volume
from protocol.agent import Want

#: how an active rental whose door was found shut is doing
SHUT = "SSH does not answer from outside; nothing is billed until it does"


@dataclass(frozen=True, slots=True)
class RentalPort:
    """A TCP port that the rental asked for."""

    inside: int
    #: of the machine's address; None: not published yet
    outside: int | None


@dataclass(frozen=True, slots=True)
class MountedVolume:
    """A volume of a rental. An empty name: its renter has deleted it since."""

    id: UUID
    name: str
    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class IdleRuleView:
    """It is stopped, its files kept, after so long below so much use."""

    after_s: int
    below_percent: int
    #: None: it is in use, or nobody knows
    idle_since: datetime | None


@dataclass(frozen=True, slots=True)
class RentalView:
    """A rental as its renter sees it."""

    id: UUID
    #: what its renter calls it; empty: it has none
    name: str
    state: RentalState
    progress: str
    #: why it ended: a stable code and one plain sentence, both empty while it goes on
    reason_code: str
    reason: str
    machine_id: UUID
    #: what the machine's receipts name
    placement_id: UUID
    offer_id: UUID
    image: str
    command: tuple[str, ...]
    #: rises with every change of what runs
    edition: int
    #: a change was asked for and does not run yet
    changing: bool
    #: why the newest change could not be made, both empty where it was
    change_code: str
    change_reason: str
    #: in the order in which they were asked for
    ports: tuple[RentalPort, ...]
    volumes: tuple[MountedVolume, ...]
    cpus: int
    gpus: int
    ram_bytes: int
    disk_bytes: int
    price_hour_microusd: int
    #: what an hour of it bids; None: nobody outbids it
    bid_microusd: int | None
    #: the lowest bid that wins its room now; None: it does not bid, none would, or it is listed
    bids_from_microusd: int | None
    #: it was outbid, and stops then unless its bid wins again; None: it has no such notice
    outbid_stop_at: datetime | None
    #: it is stopped, and starts by itself once its bid wins
    resumes: bool
    #: None: it runs, idle or not
    idle_rule: IdleRuleView | None
    price_type: PriceType
    #: None: its host asks no other price
    pending_price: PendingPrice | None
    #: what an hour costs now: of its time, of its disk while it is stopped, or nothing
    burn_hour_microusd: int
    #: of a GB and 30 days while it is stopped, and of a GB of traffic
    storage_price_microusd: int
    network_price_microusd: int
    #: that cost something, and the most that may
    traffic_bytes: int
    traffic_bytes_max: int
    #: what its disk cost while it was stopped, and its traffic; parts of the cost
    storage_microusd: int
    traffic_microusd: int
    worst_total_microusd: int
    funds: FundsView
    #: less what came back, as less was delivered than was listed
    cost_microusd: int
    started_at: datetime
    active_at: datetime | None
    #: a look from outside found its SSH door shut, and none found it open since; None: it is open
    shut_at: datetime | None
    ends_at: datetime
    #: its host works on the machine from then on, which ends it sooner; None: not so
    maintenance_at: datetime | None
    #: that it was given, or of its machine, as its start found it; empty: that has no GPU
    gpu_model: str
    #: when it may be ready; None: it began already, or nobody can say
    expected: Expected | None
    #: None until the last charge is posted and the rest of the hold is back
    ended_at: datetime | None
    billed_ms: int
    ssh_host: str
    ssh_port: int | None
    ssh_user: str
    ssh_host_key: str
    #: empty while there is no door to knock at
    ssh_command: str
    #: fingerprints of the keys that open it
    ssh_keys: tuple[str, ...]
    #: None: no other machine was to take it over
    failover: FailoverView | None


def volumes_of(rentals: Sequence[Rental]) -> dict[UUID, Volume]:
    """Return the volumes that the rentals have or had, in one query where they have any."""
    ids = {UUID(mount["volume_id"]) for rental in rentals for mount in _mounts(rental)}
    found = Volume.objects.filter(id__in=ids).order_by("id") if ids else ()
    return {volume.id: volume for volume in found}


def view_of(
    rental: Rental, volumes: Mapping[UUID, Volume], now: datetime, kinds: Kinds
) -> RentalView:
    """Return the rental as its renter sees it.

    ``volumes``: what :func:`volumes_of` found for it. ``kinds``: how each kind of machine starts.
    """
    placement, meter = rental.placement, rental.meter
    side: SideMeter | None = getattr(meter, "side", None)
    storage, traffic = (side.storage_cost_microusd, side.traffic_cost_microusd) if side else (0, 0)
    network_price = side.network_price_microusd if side else 0
    state = state_of(
        PlacementState(placement.state),
        reachable_at=placement.reachable_at,
        settled=meter.closed_at is not None,
    )
    command = ""
    if state == RentalState.ACTIVE and placement.ssh_port:
        command = f"ssh -p {placement.ssh_port} {shlex.quote(f'root@{placement.ssh_host}')}"
    return RentalView(
        id=rental.id,
        name=rental.name,
        state=state,
        progress=_progress(placement, state),
        reason_code=placement.reason_code,
        reason=placement.reason,
        machine_id=placement.machine_id,
        placement_id=placement.id,
        offer_id=rental.offer_id,
        image=placement.workload["image"],
        command=tuple(placement.workload.get("command", ())),
        edition=placement.edition,
        changing=placement.former_workload is not None,
        change_code=placement.change_code,
        change_reason=placement.change_reason,
        ports=_ports(placement),
        volumes=tuple(_mounted(mount, volumes) for mount in _mounts(rental)),
        cpus=placement.cpus,
        gpus=placement.gpus,
        ram_bytes=placement.memory_bytes,
        disk_bytes=placement.disk_bytes,
        bid_microusd=placement.bid_hour_microusd,
        bids_from_microusd=None,
        outbid_stop_at=placement.outbid_stop_at,
        resumes=placement.resume_due_at is not None,
        idle_rule=_idle_rule(rental),
        price_hour_microusd=_price_hour(rental, now),
        price_type=PriceType(rental.price_type),
        pending_price=pending_price(rental),
        burn_hour_microusd=_burn_hour(rental, state, side, now),
        storage_price_microusd=side.storage_price_microusd if side else 0,
        network_price_microusd=network_price,
        traffic_bytes=side.traffic_bytes if side else 0,
        traffic_bytes_max=traffic_bytes(side.traffic_microusd_max, network_price) if side else 0,
        storage_microusd=storage,
        traffic_microusd=traffic,
        worst_total_microusd=rental.worst_total_microusd,
        funds=funds(rental),
        cost_microusd=meter.charged_microusd + storage + traffic - meter.hold.returned_microusd,
        started_at=rental.started_at,
        active_at=placement.reachable_at,
        shut_at=placement.door_missed_at if state == RentalState.ACTIVE else None,
        ends_at=placement.funded_until,
        maintenance_at=_maintenance_at(rental),
        expected=expected_of(rental, state, kinds),
        gpu_model=rental.gpu_model,
        ended_at=placement.ended_at if meter.closed_at is not None else None,
        billed_ms=meter.charged_ms,
        ssh_host=placement.ssh_host,
        ssh_port=placement.ssh_port,
        ssh_user="root",
        ssh_host_key=placement.ssh_host_key,
        ssh_command=command,
        ssh_keys=tuple(fingerprint_of(line) for line in placement.authorized_keys),
        failover=failover_of(rental),
    )


def _progress(placement: Placement, state: RentalState) -> str:
    if state == RentalState.ACTIVE and placement.door_missed_at is not None:
        return SHUT
    return placement.progress


def _maintenance_at(rental: Rental) -> datetime | None:
    begins = rental.offer.maintenance_from
    if begins is None or rental.placement.want == Want.END:
        return None
    return begins if rental.started_at < begins < rental.placement.funded_until else None


def _idle_rule(rental: Rental) -> IdleRuleView | None:
    rule: IdleRule | None = getattr(rental, "idle_rule", None)
    if rule is None:
        return None
    return IdleRuleView(rule.after_s, rule.below_percent, rule.idle_since)


def _ports(placement: Placement) -> tuple[RentalPort, ...]:
    published = {port["inside"]: port["outside"] for port in placement.ports}
    asked = placement.workload.get("ports", ())
    return tuple(RentalPort(inside, published.get(inside)) for inside in asked)


def _mounted(mount: Mapping[str, str], volumes: Mapping[UUID, Volume]) -> MountedVolume:
    volume = volumes.get(UUID(mount["volume_id"]))
    return MountedVolume(
        id=UUID(mount["volume_id"]),
        name=volume.name if volume else "",
        path=mount["path"],
        size_bytes=volume.size_bytes if volume else 0,
    )


def _price_hour(rental: Rental, now: datetime) -> int:
    """Return the price of now; one that was accepted may not hold yet."""
    holds_from = rental.started_at + timedelta(milliseconds=rental.priced_from_ms)
    if holds_from > now:
        return rental.meter.price_hour_microusd
    return price(rental.price_hour_microusd, rental.delivered_ppm)


def _burn_hour(rental: Rental, state: RentalState, side: SideMeter | None, now: datetime) -> int:
    if state == RentalState.ACTIVE and rental.placement.door_missed_at is None:
        return _price_hour(rental, now)
    if state == RentalState.STOPPED and side is not None:
        return storage_cost(side.storage_price_microusd, side.disk_bytes, MS_PER_HOUR)
    return 0


def _mounts(rental: Rental) -> Sequence[dict[str, str]]:
    found: Sequence[dict[str, str]] = rental.placement.workload.get("volumes", ())
    return found
