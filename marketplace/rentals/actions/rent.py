"""This will start a rental: hold the money, place the workload, open the meter, or do nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from marketplace.domain import failover
from marketplace.domain.features import Feature
from marketplace.domain.funding import Funding
from marketplace.domain.matching import Slice
from marketplace.domain.pricing import PriceType
from marketplace.domain.terms import Limits, Terms
from marketplace.domain.upkeep import TRAFFIC_BYTES_DEFAULT
from marketplace.machines.actions import lock
from marketplace.metering.actions.begin import (
    IdempotencyConflict,
    begin,
    check_room,
    terms_of,
)
from marketplace.metering.actions.open_side_meter import open_side_meter
from marketplace.offers import queries as offers
from marketplace.offers.models import Offer
from marketplace.oversight import switches
from marketplace.placements import workload as workloads
from marketplace.placements.registry_login import seal
from marketplace.rentals import keys, names
from marketplace.rentals.doors import check_doors
from marketplace.rentals.models import Failover, Rental
from marketplace.rentals.notebooks import with_token
from marketplace.verification.figures import figures
from marketplace.volumes.actions import claim
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.message import canonical_bytes
from protocol.workload import PlacementKind, Workload


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a renter asks of one offer."""

    offer_id: UUID
    workload: Workload
    limits: Limits
    #: None: all of the renter's
    ssh_key_ids: Sequence[UUID] | None
    volumes: Sequence[claim.Asked]
    registry_login: RegistryLogin | None
    #: what an hour of another machine may cost where this one does not come up; None: none may
    failover_microusd: int | None = None
    #: what its renter calls it; empty: nothing
    name: str = ""

    @property
    def digest(self) -> str:
        """Return what tells this request from another."""
        keys = None if self.ssh_key_ids is None else sorted(map(str, self.ssh_key_ids))
        # Of a login only the name: a digest of the password would outlive it.
        username = self.registry_login.username if self.registry_login else ""
        volumes = [astuple(volume) for volume in self.volumes]
        asked = (astuple(self.limits), keys, username, volumes, self.failover_microusd)
        # The name stands behind: without one a request is as it was digested before names.
        others = repr((str(self.offer_id), *asked)) + self.name
        return hashlib.sha256(canonical_bytes(self.workload) + others.encode()).hexdigest()


def limits(
    *,
    lease_s: int | None,
    cap_microusd: int | None,
    bid_microusd: int | None = None,
    price_hour_microusd_max: int | None = None,
    price_type: PriceType | None = None,
    traffic_bytes_max: int | None = None,
    funding: Funding = Funding.WHOLE,
) -> Limits:
    """Return what bounds a rental.

    ``price_type``: None is on demand, or interruptible with a bid. ``traffic_bytes_max``: None is
    what upkeep.py names; it matters where the host charges for traffic.
    """
    guessed = PriceType.ON_DEMAND if bid_microusd is None else PriceType.INTERRUPTIBLE
    return Limits(
        lease_s,
        cap_microusd,
        bid_microusd,
        price_hour_microusd_max,
        price_type=price_type or guessed,
        traffic_bytes_max=TRAFFIC_BYTES_DEFAULT if traffic_bytes_max is None else traffic_bytes_max,
        funding=funding,
    )


def rent(
    *,
    renter_id: int,
    offer_id: UUID,
    parts: workloads.Parts,
    resources: Resources,
    lease_s: int | None,
    cap_microusd: int | None,
    ssh_key_ids: Sequence[UUID] | None,
    idempotency_key: str,
    now: datetime,
    bid_microusd: int | None = None,
    price_hour_microusd_max: int | None = None,
    price_type: PriceType | None = None,
    traffic_bytes_max: int | None = None,
    funding: Funding = Funding.WHOLE,
    volumes: Sequence[claim.Asked] = (),
    registry_login: RegistryLogin | None = None,
    failover_microusd: int | None = None,
    name: str = "",
) -> Rental:
    """Return the new rental, or the one that this key already started.

    ``failover_microusd``: what an hour of another machine may cost, which takes it over where this
    one does not come up (actions/fail_over.py). None: none does.

    :raises Refused: with its own code when anything is in the way; then nothing is held or placed.
    """
    asked = Asked(
        offer_id=offer_id,
        workload=workloads.new(PlacementKind.RENTAL, parts, resources=resources),
        limits=limits(
            lease_s=lease_s,
            cap_microusd=cap_microusd,
            bid_microusd=bid_microusd,
            price_hour_microusd_max=price_hour_microusd_max,
            price_type=price_type,
            traffic_bytes_max=traffic_bytes_max,
            funding=funding,
        ),
        ssh_key_ids=ssh_key_ids,
        volumes=tuple(volumes),
        registry_login=registry_login,
        failover_microusd=failover_microusd,
        name=names.cleaned(name),
    )
    if failover_microusd is not None:
        failover.check_fit(price_type=asked.limits.price_type, volumes=len(volumes))
    idempotency = (idempotency_key, asked.digest)
    if (known := _known(renter_id, *idempotency)) is not None:
        return known
    switches.check(Feature.RENTALS)
    try:
        return _rent_once(renter_id, asked, idempotency, now)
    except IntegrityError:
        # The same key came at once for another machine, whose lock is not the one we held.
        if (known := _known(renter_id, *idempotency)) is None:
            raise
        return known


def _rent_once(renter_id: int, asked: Asked, idempotency: tuple[str, str], now: datetime) -> Rental:
    with transaction.atomic():
        # Everybody locks the machine, then its placements, their meters and the money: start holds
        # the wallet while it waits for a machine that a sync holds otherwise.
        machine_id, resources = offers.machine_of(asked.offer_id), asked.workload.resources
        may_have_room = lock.lock_where_open(machine_id=machine_id, asked=Slice.of(resources))
        # The same request may have come twice at once: while this one waited, the other one took
        # the room and the money, and its rental is the answer (tests/concurrency).
        if (known := _known(renter_id, *idempotency)) is not None:
            return known
        check_doors(renter_id, now)
        if not may_have_room:
            # Refused here and not locked, unless something was given back just now.
            check_room(offers.rentable(asked.offer_id, now=now, renter_id=renter_id), resources)
            lock.lock(machine_id=machine_id)
        offer = offers.rentable(asked.offer_id, now=now, renter_id=renter_id)
        check_room(offer, resources)
        terms = terms_of(offer, resources, asked.limits, now)
        return _rent(renter_id, asked, offer, terms, idempotency, now)


def _known(renter_id: int, idempotency_key: str, digest: str) -> Rental | None:
    rental = Rental.objects.filter(renter_id=renter_id, idempotency_key=idempotency_key).first()
    if rental is not None and rental.request_digest != digest:
        raise IdempotencyConflict
    return rental


def _rent(
    renter_id: int,
    asked: Asked,
    offer: Offer,
    terms: Terms,
    idempotency: tuple[str, str],
    now: datetime,
) -> Rental:
    rental_id, bounds = uuid4(), asked.limits
    volumes = claim.claim(
        renter_id=renter_id, machine_id=offer.machine_id, asked=asked.volumes, now=now
    )
    paths = [volume.path for volume in asked.volumes]
    meter = begin(
        renter_id=renter_id,
        offer=offer,
        workload=workloads.with_volumes(
            with_token(asked.workload), [volume.id for volume in volumes], paths
        ),
        terms=terms,
        keys=keys.lines(renter_id, asked.ssh_key_ids),
        registry_login=asked.registry_login,
        cause=f"rental:{rental_id}:hold",
        now=now,
    )
    open_side_meter(
        meter=meter, terms=terms, disk_bytes=asked.workload.resources.hard_disk.capacity
    )
    claim.give(volumes=volumes, placement_id=meter.placement_id)
    rental = Rental.objects.create(
        id=rental_id,
        renter_id=renter_id,
        name=asked.name,
        offer=offer,
        placement_id=meter.placement_id,
        meter=meter,
        price_type=bounds.price_type,
        price_hour_microusd=terms.price_hour_microusd,
        priced_from_microusd=terms.traffic_microusd_max,
        on_demand_hour_microusd=terms.on_demand_hour_microusd,
        gpu_model=offer.gpu_model,
        gpu_vram_bytes=offer.vram_bytes,
        listed=figures(offer.machine_id, now=now).as_json(),
        lease_s=bounds.lease_s,
        cap_microusd=bounds.cap_microusd,
        worst_total_microusd=terms.worst_total_microusd,
        funding=bounds.funding,
        fund_due_at=now if bounds.funding is Funding.ROLLING else None,
        idempotency_key=idempotency[0],
        request_digest=idempotency[1],
        started_at=now,
    )
    if asked.failover_microusd is not None:
        Failover.objects.create(
            rental=rental,
            price_hour_microusd_max=asked.failover_microusd,
            first_started_at=now,
            traffic_bytes_max=bounds.traffic_bytes_max,
            registry_login=seal(asked.registry_login),
        )
    return rental
