"""This will read what only the pages put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery

from marketplace.metering.queries import earned_by_machine
from marketplace.offers.models import Offer
from marketplace.offers.queries import of_host
from marketplace.rentals.models import Rental
from marketplace.verification.models import EpochScore, VerdictRecord
from protocol.validator import VerdictState

MACHINES_MAX = 500


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
    offers = list(_with_newest(host_id, now)[:MACHINES_MAX])
    verdicts = VerdictRecord.objects.in_bulk({offer.verdict_id for offer in offers} - {None})
    scores = EpochScore.objects.in_bulk({offer.score_id for offer in offers} - {None})
    earned = earned_by_machine(host_id)
    return tuple(
        _host_machine(
            offer,
            verdicts.get(offer.verdict_id),
            scores.get(offer.score_id),
            earned.get(offer.machine_id, 0),
        )
        for offer in offers
    )


def newest_image(renter_id: int) -> str | None:
    """Return the image of the renter's last rental; None: there was none."""
    newest = Rental.objects.filter(renter_id=renter_id).order_by("-started_at", "id")
    return newest.values_list("placement__workload__image", flat=True).first()


def _with_newest(host_id: int, now: datetime) -> Sequence[Offer]:
    verdict = VerdictRecord.objects.filter(
        machine=OuterRef("machine"), expires_at__gt=now, validator__admitted=True
    ).order_by("-checked_at", "-id")
    score = EpochScore.objects.filter(machine=OuterRef("machine")).order_by("-epoch", "-id")
    return of_host(host_id).annotate(
        verdict_id=Subquery(verdict.values("id")[:1]), score_id=Subquery(score.values("id")[:1])
    )


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
