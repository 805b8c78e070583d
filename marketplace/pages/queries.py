"""This will read what only the pages put together."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from marketplace.domain.placement import PlacementState
from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter
from marketplace.metering.queries import earned_by_machine
from marketplace.offers.actions.set_terms import NOT_YOURS
from marketplace.offers.models import Offer
from marketplace.offers.queries import OfferUnknown, of_host
from marketplace.placements.queries import live
from marketplace.rentals.models import Rental
from marketplace.verification import queries as verification
from marketplace.verification.history import newest_appeals
from marketplace.verification.models import Appeal, EpochScore


@dataclass(frozen=True, slots=True)
class HostMachine:
    """A machine with all that its host wants to know of it."""

    #: loaded with its machine
    offer: Offer
    state: StandingState
    reasons: tuple[str, ...]
    #: None: it is new, or just changed
    since: datetime | None
    checked_at: datetime | None
    #: how many validators say something of it now
    validators: int
    #: the newest; None: there never was one
    appeal: Appeal | None
    #: points in millionths; None: never scored
    points_micro: int | None
    factors_ppm: tuple[tuple[str, int], ...]
    earned_microusd: int


def host_machine(host_id: int, machine_id: UUID, now: datetime) -> HostMachine:
    """Return one of the host's machines.

    :raises OfferUnknown: when the machine is not this host's.
    """
    offer = of_host(host_id).filter(machine_id=machine_id).first()
    if offer is None:
        raise OfferUnknown(NOT_YOURS)
    one = Machine.objects.filter(id=machine_id)
    return _host_machine(
        offer,
        verification.standings([machine_id], now)[machine_id],
        verification.newest_scores(one).get(machine_id),
        newest_appeals(one).get(machine_id),
        earned_by_machine(host_id, machine_ids=[machine_id]).get(machine_id, 0),
    )


def live_placements(machine_id: UUID) -> int:
    """Return how many placements, stopped ones too, would end with a maintenance."""
    return live(machine_id).count()


def burn_hour_microusd(user_id: int) -> int:
    """Return what an hour of all that runs for the person costs now: rentals, jobs, replicas."""
    running = Meter.objects.filter(
        hold__user_id=user_id, closed_at=None, placement__state=PlacementState.RUNNING
    )
    return running.aggregate(sum=Sum("price_hour_microusd"))["sum"] or 0


def newest_image(renter_id: int) -> str | None:
    """Return the image of the renter's last rental; None: there was none."""
    newest = Rental.objects.filter(renter_id=renter_id).order_by("-started_at", "id")
    return newest.values_list("placement__workload__image", flat=True).first()


def _host_machine(
    offer: Offer,
    standing: verification.Standing,
    score: EpochScore | None,
    appeal: Appeal | None,
    earned_microusd: int,
) -> HostMachine:
    return HostMachine(
        offer=offer,
        state=standing.state,
        reasons=tuple(reason.message for reason in standing.reasons),
        since=standing.since,
        checked_at=standing.checked_at,
        validators=len(standing.words),
        appeal=appeal,
        points_micro=score.points_micro if score else None,
        factors_ppm=tuple(sorted(score.factors_ppm.items())) if score else (),
        earned_microusd=earned_microusd,
    )
