"""This will read placements for the sync, the products and the pages."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Max, Q, QuerySet

from marketplace.domain.placement import LIVE, OUTBID, PlacementState
from marketplace.kept_sql import kept, kept_of_now
from marketplace.machines.queries import revision as revision
from marketplace.placements.models import Lease, Placement, PlacementEvent
from marketplace.placements.registry_login import unseal
from protocol.agent import KEYS_MOST, DesiredPlacement, Want
from protocol.workload import PlacementKind


class Listed(NamedTuple):
    """What a machine is told of a placement: to read the rest would cost more than to tell it."""

    id: UUID
    machine_id: UUID
    kind: str
    state: str
    want: str
    workload: dict[str, Any]
    edition: int
    restarts: int
    resets: int
    registry_login: str
    gpu_uuids: list[str]
    holds_compute: bool
    authorized_keys: list[str]
    guest_keys: list[str]
    funded_until: datetime
    paid_until: datetime | None
    outbid_stop_at: datetime | None
    next_sequence: int
    refused_interval: dict[str, Any] | None


def desired(machine_id: UUID, now: datetime) -> tuple[DesiredPlacement, ...]:
    """Return what the machine shall run or end."""
    return as_desired(listed_by_machine([machine_id]).get(machine_id, ()), now)


def listed_by_machine(machine_ids: Collection[UUID]) -> dict[UUID, list[Listed]]:
    """Return what each of the machines shall run or end, in one query; those missing: nothing.

    What ended without the machine's word that nothing is left of it stays listed with want=end
    until it says so, so that nothing leaks.
    """
    found: dict[UUID, list[Listed]] = {}
    for placement in map(Listed._make, _listed(machine_ids)):
        found.setdefault(placement.machine_id, []).append(placement)
    return found


@kept()
def _listed(machine_ids: Collection[UUID], _now: datetime) -> QuerySet[Placement, tuple[Any, ...]]:
    # What is live is not gone, by constraint: to ask for that too would read all the past.
    listed = Placement.objects.filter(machine_id__in=machine_ids, gone_at__isnull=True).exclude(
        # Placement.is_untold
        state=PlacementState.WAITING,
        starts=0,
    )
    return listed.order_by("created_at", "id").values_list(*Listed._fields)


def as_desired(listed: Iterable[Listed], now: datetime) -> tuple[DesiredPlacement, ...]:
    """Return the placements as their machine is told of them."""
    return tuple(_desired(placement, now) for placement in listed)


def live(machine_id: UUID) -> QuerySet[Placement]:
    """Return the machine's live placements, oldest first."""
    return Placement.objects.filter(machine_id=machine_id, state__in=LIVE).order_by(
        "created_at", "id"
    )


def leased_gpus(machine_ids: Collection[UUID] = ()) -> dict[UUID, list[str]]:
    """Return the uuids of the GPUs that placements hold now, by machine; or of these machines."""
    leases = Lease.objects.filter(machine__in=machine_ids) if machine_ids else Lease.objects.all()
    found: dict[UUID, list[str]] = {}
    for holder, uuid in leases.order_by("id").values_list("machine_id", "gpu_uuid"):
        found.setdefault(holder, []).append(uuid)
    return found


def rented_at(machine_ids: Collection[UUID] = ()) -> dict[UUID, datetime]:
    """Return when the newest of the rentals on each machine began; or on these machines."""
    found = Placement.objects.filter(
        gone_at__isnull=True, kind=PlacementKind.RENTAL, running_at__isnull=False
    )
    if machine_ids:
        found = found.filter(machine_id__in=machine_ids)
    newest = found.values("machine_id").annotate(began_at=Max("running_at"))
    return {row["machine_id"]: row["began_at"] for row in newest.order_by("machine_id")}


def events(placement_id: UUID) -> QuerySet[PlacementEvent]:
    """Return what happened to a placement, oldest first."""
    return PlacementEvent.objects.filter(placement_id=placement_id).order_by("at", "id")


def unproven(now: datetime, *, rows_max: int) -> list[Placement]:
    """Return running placements whose SSH door nobody saw from outside yet and that is due.

    Newest first, so that doors that never open can't keep the fresh ones waiting.
    """
    return _in_order(Placement.objects.all(), _unproven(now, rows_max))


@kept_of_now
def _unproven(now: datetime, rows_max: int) -> QuerySet[Placement, tuple[Any, ...]]:
    rows = (
        Placement.objects.filter(
            Q(look_due_at=None) | Q(look_due_at__lte=now),
            # Of a replica a machine might name a door too: its HTTP port is what is looked at.
            kind=PlacementKind.RENTAL,
            state=PlacementState.RUNNING,
            reachable_at__isnull=True,
            ssh_port__isnull=False,
        )
        .exclude(ssh_host_key="")
        .order_by("-running_at", "id")
    )
    return rows.values_list("id")[:rows_max]


def look_due(now: datetime, *, rows_max: int) -> list[Placement]:
    """Return running placements whose door is to be looked at again, longest due first."""
    return _in_order(Placement.objects.select_related("machine"), _look_due(now, rows_max))


@kept_of_now
def _look_due(now: datetime, rows_max: int) -> QuerySet[Placement, tuple[Any, ...]]:
    due = _watched().filter(look_due_at__lte=now)
    return due.order_by("look_due_at", "id").values_list("id")[:rows_max]


def _in_order(rows: QuerySet[Placement], ids: Iterable[tuple[UUID]]) -> list[Placement]:
    """Return those with these ids, in the order of the ids."""
    wanted = [one for (one,) in ids]
    # As nearly always: none of them is due.
    found = rows.in_bulk(wanted) if wanted else {}
    return [found[one] for one in wanted if one in found]


def open_doors(*, but_of_hosts: Collection[int]) -> QuerySet[Placement]:
    """Return running placements of other hosts whose door was open at the newest look."""
    others = _watched().exclude(machine__host_id__in=but_of_hosts)
    return others.filter(door_missed_at=None).order_by("id")


def _watched() -> QuerySet[Placement]:
    return Placement.objects.filter(
        state=PlacementState.RUNNING, look_due_at__isnull=False, reachable_at__isnull=False
    )


def _notice(outbid_stop_at: datetime | None) -> dict[str, object] | None:
    if outbid_stop_at is None:
        return None
    return {"reason": OUTBID.code, "stops_at_ms": int(outbid_stop_at.timestamp() * 1000)}


def _stop_after_ms(placement: Listed, now: datetime) -> int | None:
    if placement.paid_until is None or placement.want != Want.RUN:
        return None
    return max(0, (placement.paid_until - now) // timedelta(milliseconds=1))


def _desired(placement: Listed, now: datetime) -> DesiredPlacement:
    left_ms = (placement.funded_until - now) // timedelta(milliseconds=1)
    # As it is stored: a workload that is one already would be checked a second time.
    return DesiredPlacement.model_validate(
        {
            "placement_id": placement.id,
            "want": placement.want,
            "workload": placement.workload,
            "edition": placement.edition,
            "restarts": placement.restarts,
            "resets": placement.resets,
            "registry_login": unseal(placement.registry_login),
            # What stopped may be somebody else's GPUs by now.
            "gpu_uuids": placement.gpu_uuids if placement.holds_compute else (),
            "authorized_keys": [*placement.authorized_keys, *placement.guest_keys][:KEYS_MOST],
            "run_for_ms": None if placement.want == Want.END else max(0, left_ms),
            "stop_after_ms": _stop_after_ms(placement, now),
            "notice": _notice(placement.outbid_stop_at),
            "next_sequence": placement.next_sequence,
            "refused": placement.refused_interval,
        }
    )
