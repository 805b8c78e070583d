"""This will stop what people run who are shut out, and let their machines take nobody new."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet

from marketplace.accounts.models import SshKey, User
from marketplace.console.models import Ban
from marketplace.domain.placement import RUNS, PlacementState
from marketplace.domain.pricing import PriceType
from marketplace.jobs.models import Job
from marketplace.offers.models import Offer
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions.request_end import request_end
from marketplace.rentals.actions.end import end
from marketplace.rentals.actions.let_go import shut_keys
from marketplace.rentals.actions.stop import stop
from marketplace.rentals.models import Rental

#: of one pass; the next pass goes on
ROWS_MAX = 200
CODE, REASON = "account_banned", "The account of its renter was banned or closed."


def shut_out_all(*, now: datetime) -> int:
    """Return how much was stopped, ended or unlisted that a ban met half-way, or not at all.

    So is what began beside the deletion of an account: nobody is left who could end it.
    """
    banned = Ban.objects.filter(lifted_at=None).values("user_id")
    people = User.objects.filter(Q(is_active=False) | Q(pk__in=banned))
    return _shut_out(people, now)


def shut_out(*, user_ids: Collection[int], now: datetime) -> int:
    """Return how much was stopped, ended or unlisted of these people.

    Replicas end by themselves: an endpoint of somebody who is shut out wants none.
    """
    return _shut_out(user_ids, now)


def _shut_out(user_ids: Collection[int] | QuerySet[User], now: datetime) -> int:
    runs = Q(placement__state__in=(*RUNS, PlacementState.WAITING))
    theirs, host = Q(renter_id__in=user_ids), Q(machine__host_id__in=user_ids)
    rentals = Rental.objects.filter(theirs, runs | Q(placement__resume_due_at__isnull=False))
    jobs = Job.objects.filter(theirs, runs)
    done = one_by_one(
        rentals.order_by("id"),
        lambda rental: _stop(rental, now),
        failed="Rental of somebody banned not stopped",
        most=ROWS_MAX,
    )
    ended = one_by_one(
        jobs.order_by("id").values_list("placement_id", flat=True),
        lambda placement_id: _end_job(placement_id, now),
        failed="Job of somebody banned not ended",
        most=ROWS_MAX,
    )
    # Their keys open what teams run as well, which goes on.
    given = SshKey.objects.filter(added_by_id__in=user_ids).exclude(user_id=F("added_by_id"))
    shut = one_by_one(
        given.order_by("added_by_id").values_list("added_by_id", flat=True).distinct(),
        lambda person_id: shut_keys(person_id=person_id),
        failed="SSH keys of somebody banned not taken from their teams",
        most=ROWS_MAX,
    )
    # One by one: whoever gives back what several machines had locks their offers in another order.
    offers = Offer.objects.filter(host, listed=True).order_by("id")
    unlisted = [
        Offer.objects.filter(id=offer_id, listed=True).update(listed=False)
        for offer_id in offers.values_list("id", flat=True)
    ]
    return len(done) + len(ended) + len(shut) + sum(unlisted)


def _stop(rental: Rental, now: datetime) -> None:
    act = end if rental.price_type == PriceType.RESERVED else stop
    act(rental_id=rental.id, renter_id=rental.renter_id, now=now, reason_code=CODE, reason=REASON)


def _end_job(placement_id: UUID, now: datetime) -> None:
    request_end(placement_id=placement_id, reason_code=CODE, reason=REASON, now=now)
