"""This will answer what a renter's rentals are doing and what they cost."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from marketplace.accounts.ssh_key import fingerprint_of
from marketplace.domain.placement import PlacementState
from marketplace.domain.problem import Refused
from marketplace.domain.rental import RentalState, state_of
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from marketplace.volumes.models import Volume
from protocol.agent import Want

VIEWS_MAX = 100
#: how an active rental whose door was found shut is doing
SHUT = "SSH does not answer from outside; nothing is billed until it does"


class RentalUnknown(Refused):
    """There is no such rental, or it is somebody else's."""

    code = "not_found"
    status = 404
    sentence = "You have no such rental."


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
class RentalView:
    """A rental as its renter sees it."""

    id: UUID
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
    worst_total_microusd: int
    cost_microusd: int
    started_at: datetime
    active_at: datetime | None
    #: a look from outside found its SSH door shut, and none found it open since; None: it is open
    shut_at: datetime | None
    ends_at: datetime
    #: its host works on the machine from then on, which ends it sooner; None: not so
    maintenance_at: datetime | None
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


@dataclass(frozen=True, slots=True)
class Views:
    """One page of a renter's rentals."""

    items: tuple[RentalView, ...]
    #: the last of this page where another follows; None: this is the last page
    next_id: UUID | None


def view(rental_id: UUID, renter_id: int, now: datetime) -> RentalView:
    """Return one rental of this renter.

    :raises RentalUnknown: when there is none.
    """
    rental = find(rental_id, renter_id)
    return _view(rental, _volumes([rental]))


def views(
    renter_id: int, *, live: bool | None, after: UUID | None = None, rows_max: int = VIEWS_MAX
) -> Views:
    """Return one page of the renter's rentals, newest first.

    ``live``: only those that may still cost something, or only those that cost no more. None: all.
    ``after``: what ``Views.next_id`` said on the page before this one. None: begin at the newest.

    :raises RentalUnknown: when ``after`` is no rental of this renter.
    """
    rentals = _rentals(renter_id)
    if live is not None:
        rentals = rentals.filter(meter__closed_at__isnull=live)
    if after is not None:
        last = Rental.objects.filter(renter_id=renter_id, id=after).first()
        if last is None:
            raise RentalUnknown
        rentals = rentals.filter(
            Q(started_at__lt=last.started_at) | Q(started_at=last.started_at, id__gt=last.id)
        )
    found = list(rentals.order_by("-started_at", "id")[: rows_max + 1])
    page = found[:rows_max]
    volumes = _volumes(page)
    return Views(
        items=tuple(_view(rental, volumes) for rental in page),
        next_id=page[-1].id if len(found) > rows_max else None,
    )


def find(rental_id: UUID, renter_id: int) -> Rental:
    """Return one rental of this renter.

    :raises RentalUnknown: when there is none.
    """
    rental = _rentals(renter_id).filter(id=rental_id).first()
    if rental is None:
        raise RentalUnknown
    return rental


def _rentals(renter_id: int) -> QuerySet[Rental]:
    return Rental.objects.filter(renter_id=renter_id, forgotten_at=None).select_related(
        "placement", "meter", "offer"
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


def _ports(placement: Placement) -> tuple[RentalPort, ...]:
    published = {port["inside"]: port["outside"] for port in placement.ports}
    asked = placement.workload.get("ports", ())
    return tuple(RentalPort(inside, published.get(inside)) for inside in asked)


def _volumes(rentals: Sequence[Rental]) -> dict[UUID, Volume]:
    """Return the volumes that the rentals have or had, in one query where they have any."""
    ids = {UUID(mount["volume_id"]) for rental in rentals for mount in _mounts(rental)}
    found = Volume.objects.filter(id__in=ids).order_by("id") if ids else ()
    return {volume.id: volume for volume in found}


def _mounts(rental: Rental) -> Sequence[dict[str, str]]:
    mounts: Sequence[dict[str, str]] = rental.placement.workload.get("volumes", ())
    return mounts


def _mounted(mount: Mapping[str, str], volumes: Mapping[UUID, Volume]) -> MountedVolume:
    volume = volumes.get(UUID(mount["volume_id"]))
    return MountedVolume(
        id=UUID(mount["volume_id"]),
        name=volume.name if volume else "",
        path=mount["path"],
        size_bytes=volume.size_bytes if volume else 0,
    )


def _view(rental: Rental, volumes: Mapping[UUID, Volume]) -> RentalView:
    placement, meter = rental.placement, rental.meter
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
        gpus=len(placement.gpu_uuids),
        ram_bytes=placement.memory_bytes,
        disk_bytes=placement.disk_bytes,
        price_hour_microusd=meter.price_hour_microusd,
        worst_total_microusd=rental.worst_total_microusd,
        cost_microusd=meter.charged_microusd,
        started_at=rental.started_at,
        active_at=placement.reachable_at,
        shut_at=placement.door_missed_at if state == RentalState.ACTIVE else None,
        ends_at=placement.funded_until,
        maintenance_at=_maintenance_at(rental),
        ended_at=placement.ended_at if meter.closed_at is not None else None,
        billed_ms=meter.charged_ms,
        ssh_host=placement.ssh_host,
        ssh_port=placement.ssh_port,
        ssh_user="root",
        ssh_host_key=placement.ssh_host_key,
        ssh_command=command,
        ssh_keys=tuple(fingerprint_of(line) for line in placement.authorized_keys),
    )
