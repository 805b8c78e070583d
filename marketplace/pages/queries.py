"""This will read what only the pages put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import OuterRef, Subquery

from marketplace.metering.queries import earned_by_machine
from marketplace.offers.models import Offer
from marketplace.offers.queries import of_host
from marketplace.rentals.models import Rental
from marketplace.verification.models import EpochScore, VerdictRecord
from protocol.validator import VerdictState

MACHINES_MAX = 500
#: below the number of parameters that every database takes in one statement
RENTALS_A_QUERY = 500
CHANGING = (
    "worst_total_microusd",
    "placement__state",
    "placement__progress",
    "placement__reason",
    "placement__reachable_at",
    "placement__stop_requested_at",
    "placement__ended_at",
    "placement__funded_until",
    "placement__ssh_port",
    "meter__charged_ms",
    "meter__charged_microusd",
    "meter__closed_at",
)


class Newest(NamedTuple):
    """The ids of the verdict that stands and of the newest score. None: there is none."""

    verdict: UUID | None
    score: int | None


@dataclass(frozen=True, slots=True)
class HostMachine:
    """A machine with all that its host wants to know of it."""

    #: loaded with its machine
    offer: Offer
    #: None: nobody's verdict stands
    state: VerdictState | None
    reasons: tuple[str, ...]
    checked_at: datetime | None
    #: points in millionths; None: never scored
    points_micro: int | None
    factors_ppm: tuple[tuple[str, int], ...]
    earned_microusd: int


def host_machines(host_id: int, now: datetime) -> tuple[HostMachine, ...]:
    """Return the host's machines in a fixed number of queries, however many there are."""
    newest = _newest(host_id, now)
    verdicts = VerdictRecord.objects.in_bulk(
        [ids.verdict for ids in newest.values() if ids.verdict]
    )
    scores = EpochScore.objects.in_bulk([ids.score for ids in newest.values() if ids.score])
    earned = earned_by_machine(host_id)
    found = []
    for offer in of_host(host_id)[:MACHINES_MAX]:
        ids = newest.get(offer.machine_id, Newest(None, None))
        verdict = verdicts.get(ids.verdict) if ids.verdict else None
        score = scores.get(ids.score) if ids.score else None
        found.append(_host_machine(offer, verdict, score, earned.get(offer.machine_id, 0)))
    return tuple(found)


def newest_image(renter_id: int) -> str | None:
    """Return the image of the renter's last rental; None: there was none."""
    newest = Rental.objects.filter(renter_id=renter_id).order_by("-started_at", "id")
    return newest.values_list("placement__workload__image", flat=True).first()


def fingerprints(rental_ids: Sequence[UUID]) -> dict[UUID, tuple[object, ...]]:
    """Return, of each rental, everything that can change on its page: one query per 500."""
    found: dict[UUID, tuple[object, ...]] = {}
    for first in range(0, len(rental_ids), RENTALS_A_QUERY):
        ids = rental_ids[first : first + RENTALS_A_QUERY]
        rows = Rental.objects.filter(id__in=ids).order_by("id")
        found |= {row[0]: row for row in rows.values_list("id", *CHANGING)}
    return found


def _newest(host_id: int, now: datetime) -> dict[UUID, Newest]:
    verdict = VerdictRecord.objects.filter(
        machine=OuterRef("machine"), expires_at__gt=now, validator__admitted=True
    ).order_by("-checked_at", "-id")
    score = EpochScore.objects.filter(machine=OuterRef("machine")).order_by("-epoch", "-id")
    rows = of_host(host_id).values_list(
        "machine_id", Subquery(verdict.values("id")[:1]), Subquery(score.values("id")[:1])
    )
    return {machine_id: Newest(*ids) for machine_id, *ids in rows[:MACHINES_MAX]}


def _host_machine(
    offer: Offer, verdict: VerdictRecord | None, score: EpochScore | None, earned_microusd: int
) -> HostMachine:
    said = verdict.signed["verdict"]["reasons"] if verdict else ()
    return HostMachine(
        offer=offer,
        state=VerdictState(verdict.state) if verdict else None,
        reasons=tuple(reason["message"] for reason in said),
        checked_at=verdict.checked_at if verdict else None,
        points_micro=score.points_micro if score else None,
        factors_ppm=tuple(sorted(score.factors_ppm.items())) if score else (),
        earned_microusd=earned_microusd,
    )
