"""This will rent what is free for a moment, as a stranger would, to see how quickly they begin."""

import logging
from datetime import datetime, timedelta
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import transaction

from marketplace.accounts.actions import add_ssh_key
from marketplace.accounts.models import SshKey
from marketplace.domain.matching import Slice
from marketplace.domain.problem import Refused
from marketplace.domain.proposed import proposed
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from marketplace.one_by_one import one_by_one
from marketplace.rentals import mystery
from marketplace.rentals.actions import end, rent
from marketplace.rentals.models import Rental
from protocol.agent import Want
from protocol.hardware import Resources

logger = logging.getLogger(__name__)
#: a machine is not seen again before
SEEN_EVERY = timedelta(days=1)
#: what is open has its keys; the account need not keep them
KEY_KEPT = timedelta(hours=1)
#: it ends as soon as its SSH was seen; the page proposes the same to everybody
LEASE_S = 3600
#: what is bounded is paid for: a log-in is a few thousand bytes
TRAFFIC_BYTES = 10_000_000
#: of those that are looked at, and of those the most that may refuse one after the other
OFFERS_LOOKED_AT, OFFERS_TRIED = 200, 5
ENDED_MOST = 100


def rent_mysteriously(*, now: datetime) -> int:
    """Return how many rentals of the site's own were begun or ended.

    At most one begins each time. What does not come up is left to end as everybody's does: then it
    is known whose fault it was.
    """
    renter_id = mystery.renter_id()
    if renter_id is None:
        return 0
    seen = Rental.objects.filter(
        renter_id=renter_id, placement__reachable_at__isnull=False, placement__ended_at=None
    ).exclude(placement__want=Want.END)
    ended = one_by_one(
        seen.order_by("started_at"),
        lambda rental: end.end(rental_id=rental.id, renter_id=renter_id, now=now),
        failed="Mystery rental not ended",
        most=ENDED_MOST,
    )
    lately = Rental.objects.filter(renter_id=renter_id, started_at__gt=now - timedelta(hours=1))
    if lately.count() >= settings.MYSTERY_RENTALS_AN_HOUR:
        return len(ended)
    return len(ended) + _begin(renter_id, now)


def _begin(renter_id: int, now: datetime) -> int:
    for offer in _offers(renter_id, now):
        try:
            # Nothing of what is refused stays, its key neither.
            with transaction.atomic():
                _rent(offer, renter_id, now)
        except Refused as refused:
            told = {"offer_id": str(offer.id), "code": refused.code}
            logger.warning("Mystery rental refused", extra=told)
            continue
        return 1
    return 0


def _offers(renter_id: int, now: datetime) -> list[Offer]:
    """Return a few offers with room for it, of machines that were not seen lately.

    They are among those that lie at a place that nobody can foresee, however many there are.
    """
    lately = Rental.objects.filter(renter_id=renter_id, started_at__gt=now - SEEN_EVERY)
    all_of_them = Offer.objects.order_by("id").values("id")
    rentable = (
        Offer.objects.filter(
            machine__online=True,
            listed=True,
            private=False,
            verified_until__gt=now,
            price_hour_microusd__lte=settings.MYSTERY_HOUR_MICROUSD_MAX,
            longest_term_s__gte=LEASE_S,
        )
        .exclude(machine_id__in=lately.values("placement__machine_id"))
        .select_related("machine")
        .order_by("id")
    )
    here = all_of_them.filter(id__gte=uuid4())[:OFFERS_LOOKED_AT]
    first = all_of_them[:OFFERS_LOOKED_AT]
    found = [one for one in rentable.filter(id__in=here) if _has_room(one)]
    found = found or [one for one in rentable.filter(id__in=first) if _has_room(one)]
    return found[:OFFERS_TRIED]


def _free(machine: Machine) -> Slice:
    """Return what nobody has, not even by a bid: nobody is to be outbid by this."""
    return Slice(
        cpus=machine.cpus_free,
        memory_bytes=machine.memory_bytes_free,
        disk_bytes=machine.disk_bytes_free,
        gpus=machine.gpus_free,
    )


def _asked(offer: Offer) -> Slice:
    """Return as much as the page proposes to anybody who names nothing."""
    machine = offer.machine
    total = Slice(
        cpus=machine.cpus_total,
        memory_bytes=machine.memory_bytes_total,
        disk_bytes=machine.disk_bytes_total,
        gpus=machine.gpus_total,
    )
    return proposed(None, total=total, free=total, cpus_min=offer.cpus_min, gpus_min=offer.gpus_min)


def _has_room(offer: Offer) -> bool:
    return not _asked(offer).exceeds(_free(offer.machine))


def _rent(offer: Offer, renter_id: int, now: datetime) -> None:
    asked = _asked(offer)
    # A key of its own: hosts could tell by one that comes again whose rental this is.
    private = Ed25519PrivateKey.generate()
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    old = SshKey.objects.filter(user_id=renter_id, created_at__lt=now - KEY_KEPT)
    old.delete()
    key = add_ssh_key.add(user_id=renter_id, name="key", public_key=line, now=now)
    rental = rent.rent(
        renter_id=renter_id,
        offer_id=offer.id,
        parts={"image": settings.DEFAULT_IMAGE},
        resources=Resources.of(
            cpus=asked.cpus,
            ram_bytes=asked.memory_bytes,
            disk_bytes=asked.disk_bytes,
            gpus=asked.gpus,
        ),
        lease_s=LEASE_S,
        cap_microusd=None,
        ssh_key_ids=[key.pk],
        idempotency_key=f"mystery:{key.pk}",
        price_hour_microusd_max=settings.MYSTERY_HOUR_MICROUSD_MAX,
        # A host may ask much for a GB, and is believed how many there were.
        traffic_bytes_max=TRAFFIC_BYTES,
        now=now,
    )
    logger.info("Mystery rental begun", extra={"rental_id": str(rental.id)})
