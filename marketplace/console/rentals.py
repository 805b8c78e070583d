"""This will find rentals for staff, and put together what settles a dispute about one.

No log, secret, command or variable of a renter is read here: none of it settles anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from marketplace.console.searching import ROWS_MAX, SCANNED_MAX, id_begins, people
from marketplace.domain.placement import PlacementState
from marketplace.ledger.models import Hold
from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.oversight.models import Act
from marketplace.placements.models import DoorShut, Placement, PlacementEvent
from marketplace.rentals import bills
from marketplace.rentals.bills import Bill
from marketplace.rentals.models import Rental, RentalProof
from marketplace.telemetry.models import Incident
from marketplace.telemetry.queries import incidents_of_placement

#: of each list on a rental's page
SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class Rentals:
    """A page of rentals, newest first."""

    #: loaded with their placement, meter and renter
    rentals: tuple[Rental, ...]
    #: where the next page begins; None: this is the last one
    after: UUID | None


@dataclass(frozen=True, slots=True)
class RentalCase:
    """One rental with all that says what was delivered and charged."""

    #: loaded with its renter, its machine and host, and its meter and hold
    rental: Rental
    bill: Bill
    #: all of them newest first
    events: Sequence[PlacementEvent]
    shut: Sequence[DoorShut]
    intervals: Sequence[SignedIntervalRow]
    proofs: Sequence[RentalProof]
    incidents: Sequence[Incident]
    acts: Sequence[Act]

    @property
    def placement(self) -> Placement:
        """Return what became of it."""
        return self.rental.placement

    @property
    def meter(self) -> Meter:
        """Return what was signed, counted and charged."""
        return self.rental.meter

    @property
    def hold(self) -> Hold:
        """Return what was set aside for it."""
        return self.rental.meter.hold


def rentals(
    *,
    begins: str = "",
    image: str = "",
    state: str = "",
    machine_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = ROWS_MAX,
    scanned: int = SCANNED_MAX,
) -> Rentals:
    """Return rentals whose id or renter's e-mail begins so, with an image and in a state.

    ``image``: a part of its name. ``state``: a ``PlacementState``; empty: any.
    """
    rows: QuerySet[Rental] = Rental.objects.filter(_begins(begins))
    if machine_id is not None:
        rows = rows.filter(placement__machine_id=machine_id)
    last = None if after is None else Rental.objects.filter(id=after).first()
    if last is not None:
        rows = rows.filter(
            Q(started_at__lt=last.started_at) | Q(started_at=last.started_at, id__gt=last.id)
        )
    rows = rows.order_by("-started_at", "id")
    seen_to = rows.only("id", "started_at")[scanned - 1 : scanned].first()
    if seen_to is not None:
        rows = rows.filter(
            Q(started_at__gt=seen_to.started_at)
            | Q(started_at=seen_to.started_at, id__lte=seen_to.id)
        )
    if state in set(PlacementState):
        rows = rows.filter(placement__state=state)
    if image:
        rows = rows.filter(placement__workload__image__icontains=image)
    page = tuple(rows.select_related("placement", "meter", "renter")[: limit + 1])
    if len(page) > limit:
        return Rentals(page[:limit], page[limit - 1].id)
    return Rentals(page, None if seen_to is None else seen_to.id)


def find(rental_id: UUID) -> Rental | None:
    """Return the rental, loaded with its renter; None: there is none."""
    return Rental.objects.select_related("renter").filter(id=rental_id).first()


def case(rental_id: UUID, *, now: datetime) -> RentalCase | None:
    """Return one rental, in a fixed number of queries; None: there is none."""
    machine = "placement__machine"
    beside = ("renter", f"{machine}__host", f"{machine}__standing", "meter__hold__account")
    rental = Rental.objects.select_related(*beside).filter(id=rental_id).first()
    if rental is None:
        return None
    people_of_it = (rental.renter_id, rental.meter.host_id)
    about = Act.objects.filter(person_id__in=people_of_it, subject__contains=str(rental_id))
    of_it = {"placement_id": rental.placement_id}
    return RentalCase(
        rental=rental,
        bill=bills.bill(rental, now=now),
        events=tuple(PlacementEvent.objects.filter(**of_it).order_by("-at", "-id")[:SHOWN_MAX]),
        shut=tuple(DoorShut.objects.filter(**of_it).order_by("-since", "-id")[:SHOWN_MAX]),
        intervals=tuple(
            SignedIntervalRow.objects.filter(**of_it).order_by("-sequence")[:SHOWN_MAX]
        ),
        proofs=tuple(
            rental.proofs.select_related("validator").order_by("-asked_at", "-id")[:SHOWN_MAX]
        ),
        incidents=tuple(incidents_of_placement(rental.placement_id)),
        acts=tuple(about.select_related("person").order_by("-id")[:SHOWN_MAX]),
    )


def _begins(text: str) -> Q:
    if not text:
        return Q()
    if "@" in text:
        return Q(renter_id__in=people(text))
    # Nothing else names a rental: then none is found, and no row is read.
    return id_begins(text) or Q(pk__in=())
