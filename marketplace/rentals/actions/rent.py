"""This will start a rental: hold the money, place the workload, open the meter, or do nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction

from marketplace.accounts import queries as accounts
from marketplace.domain import pricing
from marketplace.domain.matching import Slice, check_fits
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import hold as holds
from marketplace.machines.actions import lock
from marketplace.machines.models import Machine
from marketplace.metering.actions.open_meter import open_meter
from marketplace.offers import queries as offers
from marketplace.offers.models import Offer
from marketplace.placements.actions.place import place
from marketplace.rentals import workload as workloads
from marketplace.rentals.doors import check_doors
from marketplace.rentals.models import Rental
from marketplace.volumes.actions import claim
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.message import canonical_bytes
from protocol.workload import Workload

CPUS_MIN, MEMORY_BYTES_MIN, DISK_BYTES_MIN = 1, 64 << 20, 256 << 20


class SshKeyMissing(Refused):
    """No key would open the door."""

    code = "ssh_key_missing"
    status = 409
    sentence = "Add an SSH public key first, so that you can log in."


class RequestTooSmall(Refused):
    """Less than a container needs to start."""

    code = "invalid"
    status = 422
    sentence = "Ask for at least 1 CPU, 64 MiB of memory and 256 MiB of disk."


class IdempotencyConflict(Refused):
    """The key was used with another request."""

    code = "idempotency_conflict"
    status = 409
    sentence = "This idempotency key was used for a different request; use a new key."


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the rental, as the renter wrote it. None: not given."""

    lease_s: int | None
    cap_microusd: int | None
    #: per hour, where the host takes bids
    bid_microusd: int | None
    #: the highest price of an hour that the renter agreed to
    price_hour_microusd_max: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the renter agrees to pay."""

    price_hour_microusd: MicroUsd
    worst_total_microusd: MicroUsd
    funded_until: datetime


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

    @property
    def digest(self) -> str:
        """Return what tells this request from another."""
        keys = None if self.ssh_key_ids is None else sorted(map(str, self.ssh_key_ids))
        # Of a login only the name: a digest of the password would outlive it.
        username = self.registry_login.username if self.registry_login else ""
        volumes = [astuple(volume) for volume in self.volumes]
        others = repr((str(self.offer_id), astuple(self.limits), keys, username, volumes))
        return hashlib.sha256(canonical_bytes(self.workload) + others.encode()).hexdigest()


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
    volumes: Sequence[claim.Asked] = (),
    registry_login: RegistryLogin | None = None,
) -> Rental:
    """Return the new rental, or the one that this key already started.

    :raises Refused: with its own code when anything is in the way; then nothing is held or placed.
    """
    asked = Asked(
        offer_id=offer_id,
        workload=workloads.new(parts, resources=resources),
        limits=Limits(lease_s, cap_microusd, bid_microusd, price_hour_microusd_max),
        ssh_key_ids=ssh_key_ids,
        volumes=tuple(volumes),
        registry_login=registry_login,
    )
    idempotency = (idempotency_key, asked.digest)
    if (known := _known(renter_id, *idempotency)) is not None:
        return known
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
        lock.lock(machine_id=offers.machine_of(asked.offer_id))
        # The same request may have come twice at once: while this one waited, the other one took
        # the room and the money, and its rental is the answer (tests/concurrency).
        if (known := _known(renter_id, *idempotency)) is not None:
            return known
        check_doors(renter_id, now)
        offer = offers.rentable(asked.offer_id, now=now)
        _check_room(offer.machine, asked.workload.resources)
        terms = _terms(offer, asked.workload.resources, asked.limits, now)
        return _rent(renter_id, asked, offer, terms, idempotency, now)


def _known(renter_id: int, idempotency_key: str, digest: str) -> Rental | None:
    rental = Rental.objects.filter(renter_id=renter_id, idempotency_key=idempotency_key).first()
    if rental is not None and rental.request_digest != digest:
        raise IdempotencyConflict
    return rental


def _check_room(machine: Machine, resources: Resources) -> None:
    asked = Slice.of(resources)
    if (
        asked.cpus < CPUS_MIN
        or asked.memory_bytes < MEMORY_BYTES_MIN
        or asked.disk_bytes < DISK_BYTES_MIN
    ):
        raise RequestTooSmall
    check_fits(asked, total=machine.total, free=machine.free)


def _terms(
    offer: Offer,
    resources: Resources,
    limits: Limits,
    now: datetime,
) -> Terms:
    price = _price_hour(offer, resources, limits.bid_microusd)
    pricing.check_price(price, at_most_microusd=limits.price_hour_microusd_max)
    term_ms = pricing.term_ms(
        price_hour_microusd=price,
        lease_s=limits.lease_s,
        cap_microusd=limits.cap_microusd,
        longest_term_s=offer.longest_term_s,
    )
    return Terms(
        price_hour_microusd=price,
        worst_total_microusd=pricing.worst_of_term(price, term_ms),
        funded_until=now + timedelta(milliseconds=term_ms),
    )


def _price_hour(offer: Offer, resources: Resources, bid_microusd: int | None) -> MicroUsd:
    price = pricing.price_hour(
        Slice.of(resources),
        total=offer.machine.total,
        price_unit_microusd=offer.price_unit_microusd,
    )
    if bid_microusd is None:
        return price
    if offer.bid_floor_microusd is None:
        raise pricing.BidsNotTaken
    floor = pricing.floor_hour(
        price_hour_microusd=price,
        price_unit_microusd=offer.price_unit_microusd,
        floor_unit_microusd=offer.bid_floor_microusd,
    )
    return pricing.check_bid(bid_microusd, price_hour_microusd=price, floor_hour_microusd=floor)


def _keys(renter_id: int, ssh_key_ids: Sequence[UUID] | None) -> tuple[str, ...]:
    keys = accounts.ssh_keys(renter_id, only=ssh_key_ids)
    lines = tuple(key.public_key for key in keys)
    if not lines:
        raise SshKeyMissing
    return lines


def _rent(
    renter_id: int,
    asked: Asked,
    offer: Offer,
    terms: Terms,
    idempotency: tuple[str, str],
    now: datetime,
) -> Rental:
    rental_id = uuid4()
    keys = _keys(renter_id, asked.ssh_key_ids)
    hold = holds.place(
        user_id=renter_id,
        amount_microusd=terms.worst_total_microusd,
        cause=f"rental:{rental_id}:hold",
        now=now,
    )
    volumes = claim.claim(
        renter_id=renter_id, machine_id=offer.machine_id, asked=asked.volumes, now=now
    )
    paths = [volume.path for volume in asked.volumes]
    placement = place(
        placement_id=uuid4(),
        machine_id=offer.machine_id,
        workload=workloads.with_volumes(asked.workload, [volume.id for volume in volumes], paths),
        authorized_keys=keys,
        registry_login=asked.registry_login,
        funded_until=terms.funded_until,
        now=now,
    )
    claim.give(volumes=volumes, placement_id=placement.id)
    meter = open_meter(
        placement_id=placement.id,
        host_id=offer.machine.host_id,
        hold_id=hold.id,
        price_hour_microusd=terms.price_hour_microusd,
        fee_ppm=settings.FEE_PPM,
        now=now,
    )
    return Rental.objects.create(
        id=rental_id,
        renter_id=renter_id,
        offer=offer,
        placement=placement,
        meter=meter,
        lease_s=asked.limits.lease_s,
        cap_microusd=asked.limits.cap_microusd,
        worst_total_microusd=terms.worst_total_microusd,
        idempotency_key=idempotency[0],
        request_digest=idempotency[1],
        started_at=now,
    )
