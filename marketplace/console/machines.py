"""This will find machines for staff, and put together what settles a dispute about one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db.models import Q, QuerySet

from marketplace.console import person
from marketplace.console.searching import ROWS_MAX, SCANNED_MAX, id_begins, people
from marketplace.domain.standing import StandingState
from marketplace.machines import queries as machine_queries
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from marketplace.oversight.models import Act
from marketplace.placements import queries as placements
from marketplace.rentals.models import Rental
from marketplace.telemetry.models import Incident
from marketplace.telemetry.queries import incidents_of_machines
from marketplace.verification import history
from marketplace.verification.history import History
from marketplace.verification.models import Appeal, StandingEvent

ACTS_MAX = 20


class Presence(StrEnum):
    """Whether a machine is heard from."""

    ONLINE = "online"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Machines:
    """A page of machines by their ids."""

    #: loaded with their host, and what is noted of them where something is
    machines: tuple[Machine, ...]
    #: where the next page begins; None: this is the last one
    after: UUID | None


@dataclass(frozen=True, slots=True)
class MachineCase:
    """One machine with all that says what it delivered, and to whom."""

    history: History
    #: None: it has none
    offer: Offer | None
    uptime_ppm: int
    #: what runs or is stopped there now
    live: int
    #: newest first, as is what follows
    rentals: Sequence[Rental]
    incidents: Sequence[Incident]
    changes: Sequence[StandingEvent]
    appeals: Sequence[Appeal]
    acts: Sequence[Act]


def machines(
    *,
    begins: str = "",
    gpu: str = "",
    state: str = "",
    after: UUID | None = None,
    limit: int = ROWS_MAX,
    scanned: int = SCANNED_MAX,
) -> Machines:
    """Return machines whose id, address or host's e-mail begins so, of a GPU and in a state.

    ``state``: a ``StandingState`` as it was noted last, or a ``Presence``; empty: any.
    """
    rows: QuerySet[Machine] = Machine.objects.order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    seen_to = rows.values_list("id", flat=True)[scanned - 1 : scanned].first()
    if seen_to is not None:
        rows = rows.filter(id__lte=seen_to)
    found = rows.filter(_begins(begins), _state(state))
    if gpu:
        found = found.filter(gpu_model__icontains=gpu)
    page = tuple(found.select_related("host", "standing")[: limit + 1])
    return Machines(page[:limit], page[limit - 1].id if len(page) > limit else seen_to)


def case(machine_id: UUID, *, now: datetime) -> MachineCase:
    """Return one machine, in a fixed number of queries.

    :raises MachineNotThere: when there is none.
    """
    known = history.of_machine(machine_id, now=now)
    mine = Machine.objects.filter(id=machine_id)
    about = Act.objects.filter(person_id=known.machine.host_id, subject=f"machine {machine_id}")
    return MachineCase(
        history=known,
        offer=Offer.objects.select_related("machine").filter(machine_id=machine_id).first(),
        uptime_ppm=machine_queries.uptimes_ppm(mine, now=now).get(machine_id, 0),
        live=placements.live(machine_id).count(),
        rentals=person.rentals(Rental.objects.filter(placement__machine_id=machine_id)),
        incidents=tuple(incidents_of_machines([machine_id])),
        changes=tuple(history.events([machine_id])),
        appeals=tuple(history.appeals(machine_id)[:ACTS_MAX]),
        acts=tuple(about.select_related("person").order_by("-id")[:ACTS_MAX]),
    )


def _begins(text: str) -> Q:
    if not text:
        return Q()
    if "@" in text:
        return Q(host_id__in=people(text))
    address, of_id = Q(address__startswith=text), id_begins(text)
    return address if of_id is None else address | of_id


def _state(state: str) -> Q:
    if state in set(Presence):
        return Q(online=state == Presence.ONLINE)
    if state == StandingState.NEW:
        # Nothing is noted of a machine that nobody spoke of yet.
        return Q(standing__isnull=True) | Q(standing__state=state)
    return Q(standing__state=state) if state in set(StandingState) else Q()
