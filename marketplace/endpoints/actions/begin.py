"""This will begin one replica on the best machine for it, or say why there is none."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from marketplace.domain import endpoint as domain
from marketplace.domain.features import Feature
from marketplace.domain.matching import Slice
from marketplace.domain.offer_query import PAGE_ROWS_MAX, OfferQuery, wanted
from marketplace.domain.problem import Refused
from marketplace.domain.spending import SpendLimitReached
from marketplace.domain.terms import Limits
from marketplace.endpoints import queries
from marketplace.endpoints.models import Endpoint, Replica
from marketplace.endpoints.unanswered import check_unanswered
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.post import InsufficientFunds
from marketplace.ledger.actions.spend_limit import attribute
from marketplace.machines.actions import lock
from marketplace.metering.actions.begin import begin, check_room, terms_of
from marketplace.offers import queries as offers
from marketplace.offers.queries import OfferRow
from marketplace.oversight import switches
from marketplace.placements.registry_login import unseal
from protocol.workload import Workload

logger = logging.getLogger(__name__)
#: offers that are tried before it waits
TRIES_MAX = 5
#: a machine where a replica of the endpoint failed so lately is the last choice
FAILED_LATELY = timedelta(minutes=10)


class NoOffer(Refused):
    """No machine can have another replica now."""

    code = "no_offer"
    status = 409
    sentence = (
        "No verified machine has that much free at your price; it is tried again. "
        "Raise the price or ask for less."
    )


class NoGateway(Refused):
    """Nothing leads callers to replicas, nor sees whether they answer."""

    code = "no_gateway"
    status = 409
    sentence = (
        "No gateway runs on this site now, so no replica could be reached; it is tried again."
    )


def begin_replica(*, endpoint_id: UUID, now: datetime) -> Replica | None:
    """Return the new replica; None: by now none is missing.

    :raises FeatureOff: when nothing new may be rented for now.
    :raises InsufficientFunds: when the wallet can't cover its first hour.
    :raises NoGateway: when nobody could reach it: its host would work unpaid.
    :raises RepliesLate: when the renter's replicas ran for too long without answering.
    :raises NoOffer: when no machine takes it.
    """
    with transaction.atomic():
        # Before the machine: whoever else would begin one for this renter waits here.
        endpoint = _lock(endpoint_id)
        if not _is_missing(endpoint, now):
            return None
        switches.check(Feature.RENTALS)
        if queries.telling_gateway(now) is None:
            raise NoGateway
        check_unanswered(endpoint.renter_id, now)
        if ledger.balance(endpoint.renter_id) <= 0:
            # Before all offers are looked through for somebody who can pay none.
            raise InsufficientFunds
        workload = Workload.model_validate(endpoint.workload)
        for offer_id in _choices(endpoint, workload, now)[:TRIES_MAX]:
            try:
                return _begin_on(offer_id, endpoint, workload, now)
            except (InsufficientFunds, SpendLimitReached):
                raise
            except Refused as refused:
                logger.info(
                    "Replica not begun there", extra={"offer_id": offer_id, "why": refused.code}
                )
        raise NoOffer


def _lock(endpoint_id: UUID) -> Endpoint:
    """Return the endpoint, its renter's others locked with it: all draw on the same allowance."""
    renter = Endpoint.objects.filter(id=endpoint_id).values("renter_id")
    theirs = Endpoint.objects.filter(renter_id__in=renter, deleted_at=None).order_by("id")
    list(theirs.select_for_update().values_list("id"))
    return (
        Endpoint.objects.select_for_update(of=("self",))
        .select_related("renter")
        .get(id=endpoint_id)
    )


def _is_missing(endpoint: Endpoint, now: datetime) -> bool:
    going_on = [one for one in queries.going_on(endpoint.id) if not queries.is_over(one)]
    blind_at = queries.blind_at(now)
    plan = domain.plan(
        [queries.standing(one, now, blind_at=blind_at) for one in going_on],
        wanted=endpoint.wanted_now,
        deleted=endpoint.deleted_at is not None,
        now=now,
    )
    return plan.missing > 0


def _choices(endpoint: Endpoint, workload: Workload, now: datetime) -> Sequence[UUID]:
    """Return offers, best first: spread over machines, then the cheapest."""
    asked = Slice.of(workload.resources)
    query = OfferQuery(
        conditions=wanted(
            gpu_model=endpoint.gpu_model,
            gpus_min=asked.gpus or None,
            cpus_min=asked.cpus,
            memory_bytes_min=asked.memory_bytes,
            disk_bytes_min=asked.disk_bytes,
        ),
        # Where all GPUs are rented, whoever asks for none may still have room.
        rented=not asked.gpus,
        rows_max=PAGE_ROWS_MAX,
    )
    rows = offers.search(query, now=now, viewer_id=endpoint.renter_id).items
    held = list(queries.going_on(endpoint.id).values_list("placement__machine_id", flat=True))
    failed = set(
        Replica.objects.filter(endpoint=endpoint, over_at__gt=now - FAILED_LATELY)
        .exclude(placement__reason_code__in=domain.NO_FAILURES)
        .order_by("id")
        .values_list("placement__machine_id", flat=True)
    )

    dismissed = set(
        Replica.objects.filter(endpoint=endpoint, dismissed_at__isnull=False)
        .order_by("id")
        .values_list("placement__machine_id", flat=True)
    )

    def worth(row: OfferRow) -> tuple[object, ...]:
        price = row.price_asked_hour_microusd or 0
        return row.machine_id in failed, held.count(row.machine_id), price, row.id

    affordable = [
        row
        for row in rows
        if (row.price_asked_hour_microusd or 0) <= endpoint.price_hour_microusd_max
        and row.longest_term_s >= domain.TERM_S_MIN
        and row.machine_id not in dismissed
    ]
    return [row.id for row in sorted(affordable, key=worth)]


def _begin_on(offer_id: UUID, endpoint: Endpoint, workload: Workload, now: datetime) -> Replica:
    with transaction.atomic():
        lock.lock(machine_id=offers.machine_of(offer_id))
        offer = offers.rentable(offer_id, now=now, renter_id=endpoint.renter_id)
        check_room(offer, workload.resources)
        longest_s = offer.opening.longest_s(offer.longest_term_s, begins_at=now, now=now)
        limits = Limits(
            lease_s=min(domain.TERM_S, longest_s),
            cap_microusd=None,
            bid_microusd=None,
            price_hour_microusd_max=endpoint.price_hour_microusd_max,
        )
        terms = terms_of(offer, workload.resources, limits, now)
        replica_id = uuid4()
        meter = begin(
            renter_id=endpoint.renter_id,
            offer=offer,
            workload=workload,
            terms=terms,
            keys=(),
            registry_login=unseal(endpoint.registry_login),
            cause=f"replica:{replica_id}:hold",
            now=now,
        )
        attribute(hold_id=meter.hold_id, api_key_id=endpoint.api_key_id, now=now)
        return Replica.objects.create(
            id=replica_id,
            endpoint=endpoint,
            offer=offer,
            placement_id=meter.placement_id,
            meter=meter,
            worst_total_microusd=terms.worst_total_microusd,
            begun_at=now,
        )
