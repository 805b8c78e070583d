"""This will let the next best machine take a rental over that did not come up.

It is a rental of its own, within what its renter agreed to: the same work, keys and end, an hour at
most at the price that they named, and in all never more than the first one could have cost.
"""

import logging
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from marketplace.accounts import queries as accounts
from marketplace.domain.failover import Outcome, goes_on
from marketplace.domain.funding import Funding
from marketplace.domain.matching import Slice
from marketplace.domain.offer_query import PAGE_ROWS_MAX, OfferQuery, wanted
from marketplace.domain.problem import Refused
from marketplace.domain.spending import SpendLimitReached
from marketplace.ledger.actions import spend_limit
from marketplace.ledger.actions.post import InsufficientFunds
from marketplace.metering.models import SideMeter
from marketplace.offers import queries as offers
from marketplace.one_by_one import one_by_one
from marketplace.placements.registry_login import unseal
from marketplace.rentals.actions import rent
from marketplace.rentals.keys import SshKeyMissing
from marketplace.rentals.models import Failover, IdleRule, Rental
from marketplace.rentals.notebooks import for_another
from protocol.workload import Workload

logger = logging.getLogger(__name__)
ROWS_MAX = 100
#: offers that are tried before it is given up
TRIES_MAX = 5
READ = ("rental__placement", "rental__offer", "rental__meter__side", "rental__renter")
#: the renter's own, so that no other offer changes it
HOPELESS = (InsufficientFunds, SpendLimitReached, SshKeyMissing)


class NoOffer(Refused):
    code = "no_offer"
    status = 409
    sentence = "No other verified machine of its kind has that much free at the price."


def fail_over(*, now: datetime) -> int:
    """Return how many rentals that did not come up another machine took over."""
    unsettled = Failover.objects.filter(settled_at=None)
    came_up = unsettled.filter(rental__placement__reachable_at__isnull=False)
    came_up.update(settled_at=now, registry_login="")
    # Once the meter is closed what the first one held is back, and pays for the next.
    over = unsettled.filter(rental__meter__closed_at__isnull=False)
    done = one_by_one(
        over.order_by("rental_id"),
        partial(_settle, now=now),
        failed="Rental not failed over",
        most=ROWS_MAX,
    )
    return sum(done)


def _settle(wish: Failover, *, now: datetime) -> bool:
    with transaction.atomic():
        locked = Failover.objects.select_for_update(of=("self",)).filter(
            pk=wish.pk, settled_at=None
        )
        found = locked.select_related(*READ).first()
        if found is None:
            return False
        if goes_on(_outcome(found), now=now):
            try:
                with transaction.atomic():
                    found.successor = _taken_over(found, now)
            except Refused as refused:
                found.problem_code = refused.code
        found.settled_at, found.registry_login = now, ""
        found.save(update_fields=["successor", "problem_code", "settled_at", "registry_login"])
    return found.successor is not None


def _outcome(wish: Failover) -> Outcome:
    placement = wish.rental.placement
    return Outcome(
        blame=placement.blame,
        came_up=placement.reachable_at is not None,
        unwanted=placement.stop_requested_at is not None or not wish.rental.renter.is_active,
        first_started_at=wish.first_started_at,
        machines=wish.machines,
    )


def _taken_over(wish: Failover, now: datetime) -> Rental:
    """Return the rental that takes its place.

    :raises Refused: when none can.
    """
    for offer_id in _choices(wish, now)[:TRIES_MAX]:
        try:
            with transaction.atomic():
                return _rented(wish, offer_id, now)
        except HOPELESS:
            raise
        except Refused as refused:
            logger.info("Not taken over", extra={"offer_id": offer_id, "why": refused.code})
    raise NoOffer


def _choices(wish: Failover, now: datetime) -> list[UUID]:
    """Return the offers of the same GPU, cheapest first, of machines that were not tried."""
    rental = wish.rental
    asked = Slice.of(Workload.model_validate(rental.placement.workload).resources)
    query = OfferQuery(
        conditions=wanted(
            gpu_model=rental.gpu_model if asked.gpus else "",
            gpus_min=asked.gpus or None,
            vram_bytes_min=rental.gpu_vram_bytes if asked.gpus else None,
            cpus_min=asked.cpus,
            memory_bytes_min=asked.memory_bytes,
            disk_bytes_min=asked.disk_bytes,
        ),
        # Where all GPUs are rented, whoever asks for none may still have room.
        rented=not asked.gpus,
        rows_max=PAGE_ROWS_MAX,
    )
    tried = _tried(rental)
    side: SideMeter | None = getattr(rental.meter, "side", None)
    storage, network = (
        (side.storage_price_microusd, side.network_price_microusd) if side else (0, 0)
    )
    found = [
        (row.price_asked_hour_microusd, row.id)
        for row in offers.search(query, now=now, viewer_id=rental.renter_id).items
        if row.price_asked_hour_microusd is not None
        and row.price_asked_hour_microusd <= wish.price_hour_microusd_max
        and row.machine_id not in tried
        # An hour may be cheap where traffic is not, and a machine counts that itself.
        and row.storage_price_microusd <= storage
        and row.network_price_microusd <= network
    ]
    return [offer_id for _, offer_id in sorted(found)]


def _tried(rental: Rental) -> set[UUID]:
    """Return the machines of this rental and of those that it took over from."""
    machines: set[UUID] = set()
    before: Rental | None = rental
    while before is not None:
        machines.add(before.placement.machine_id)
        wish = Failover.objects.filter(successor=before).select_related("rental__placement").first()
        before = None if wish is None else wish.rental
    return machines


def _rented(wish: Failover, offer_id: UUID, now: datetime) -> Rental:
    former = wish.rental
    workload = Workload.model_validate(former.placement.workload)
    worst = former.worst_total_microusd
    successor = rent.rent(
        renter_id=former.renter_id,
        offer_id=offer_id,
        parts={
            "image": workload.image,
            "command": workload.command,
            "environment": for_another(workload.environment),
            "ports": workload.ports,
            "runtime": workload.runtime,
        },
        resources=workload.resources,
        lease_s=former.lease_s,
        cap_microusd=worst if former.cap_microusd is None else min(worst, former.cap_microusd),
        ssh_key_ids=_key_ids(former),
        price_hour_microusd_max=wish.price_hour_microusd_max,
        traffic_bytes_max=wish.traffic_bytes_max,
        funding=Funding(former.funding),
        registry_login=unseal(wish.registry_login),
        name=former.name,
        idempotency_key=f"failover:{former.id}",
        now=now,
    )
    key_id = former.meter.hold.api_key_id
    spend_limit.attribute(hold_id=successor.meter.hold_id, api_key_id=key_id, now=now)
    Failover.objects.create(
        rental=successor,
        price_hour_microusd_max=wish.price_hour_microusd_max,
        first_started_at=wish.first_started_at,
        machines=wish.machines + 1,
        traffic_bytes_max=wish.traffic_bytes_max,
        registry_login=wish.registry_login,
    )
    rule: IdleRule | None = getattr(former, "idle_rule", None)
    if rule is not None:
        told = {"after_s": rule.after_s, "below_percent": rule.below_percent}
        IdleRule.objects.create(rental=successor, set_at=now, **told)
    return successor


def _key_ids(former: Rental) -> list[UUID]:
    """Return those of the renter's keys that opened it; one that was removed since opens nothing.

    :raises SshKeyMissing: when none is left.
    """
    opened = set(former.placement.authorized_keys)
    found = [key.pk for key in accounts.ssh_keys(former.renter_id) if key.public_key in opened]
    if not found:
        raise SshKeyMissing
    return found
