"""This will let a host set the terms of a machine."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from marketplace.domain import country
from marketplace.domain.placement import LIVE, PlacementState
from marketplace.domain.problem import Refused
from marketplace.domain.reserved import curve
from marketplace.domain.upkeep import PRICE_GB_MICROUSD_MAX
from marketplace.machines.actions import lock
from marketplace.machines.models import Machine
from marketplace.offers.actions import refresh
from marketplace.offers.models import Guest, Offer
from marketplace.offers.queries import OfferUnknown

logger = logging.getLogger(__name__)
PRICE_HOUR_MICROUSD_MIN = 1
PRICE_HOUR_MICROUSD_MAX = 1_000_000_000
TERM_S_MAX = 366 * 24 * 3600
#: to whoever has something on a machine, before a maintenance ends it
NOTICE = timedelta(hours=1)
NOT_YOURS = "There is no such machine of yours."
#: where None is a term and not "as it is"
EMPTY_IS_NONE = ("bid_floor_microusd", "ends_at", "maintenance_from", "maintenance_until")
PRICE_FIRST = "Name the price of a GPU-hour to put this machine on the market."


class TermsInvalid(Refused):
    code = "terms_invalid"
    status = 422
    sentence = (
        "A price is between $0.000001 and $1000 an hour, a term between a second and 366 days."
    )


class NoticeTooShort(Refused):
    """Somebody's work would end sooner than its renter can save it."""

    code = "notice_too_short"
    status = 409


class Terms(TypedDict, total=False):
    """What a host may set; one that is left out, or None where it does not say so, stays."""

    price_gpu_hour_microusd: int | None
    price_cpu_hour_microusd: int | None
    #: None takes no bids
    bid_floor_microusd: int | None
    #: what reservations take off, each with days and discount_ppm; empty: it takes none
    discounts: Sequence[Mapping[str, int]] | None
    #: of a GB and 30 days while a rental is stopped, and of a GB of traffic
    storage_price_microusd: int | None
    network_price_microusd: int | None
    longest_term_s: int | None
    #: the fewest that may be rented at once
    cpus_min: int | None
    gpus_min: int | None
    #: where the machine is, two letters of ISO 3166; empty: nothing is said
    country: str | None
    #: None: it has no end
    ends_at: datetime | None
    #: both None: there is none
    maintenance_from: datetime | None
    maintenance_until: datetime | None
    #: e-mail addresses of those who alone see and rent it, each once its owner has proven that it
    #: is theirs. None: everybody does
    guests: Sequence[str] | None
    listed: bool | None


def set_terms(*, host_id: int, machine_id: UUID, now: datetime, **terms: Unpack[Terms]) -> Offer:
    """Return the offer with its new terms. Running rentals keep theirs.

    :raises OfferUnknown: when the machine is not this host's.
    :raises TermsInvalid: when a term is out of bounds, or GPUs come on the market without a price.
    :raises CurveInvalid: when the discounts of reservations are.
    :raises NoticeTooShort: when a maintenance would end somebody's work within the hour.
    """
    _check(terms)
    offers = Offer.objects.filter(machine_id=machine_id, machine__host_id=host_id)
    changes: dict[str, object] = {
        name: term
        for name, term in terms.items()
        if name != "guests" and (term is not None or name in EMPTY_IS_NONE)
    }
    if terms.get("country"):
        changes["country"] = _country(terms["country"])
    if "guests" in terms:
        changes["private"] = terms["guests"] is not None
    _check_opening(terms, now)
    unlisted = offers.filter(listed=False, machine__gpus_total__gt=0)
    # The price that an unlisted machine has may be one that its host never saw.
    if terms.get("listed") and terms.get("price_gpu_hour_microusd") is None and unlisted.exists():
        raise TermsInvalid(PRICE_FIRST)
    with transaction.atomic():
        # A rental that is made at this moment is either bound by the maintenance or has its notice.
        lock.lock(machine_id=machine_id)
        offer = offers.select_for_update(of=("self",)).select_related("machine").first()
        if offer is None:
            raise OfferUnknown(NOT_YOURS)
        _check_slice(terms, offer)
        _check_notice(terms, offer, now)
        if changes:
            offers.update(**changes)
        if "guests" in terms:
            _invite(offer, terms["guests"] or ())
    refresh.refresh(machine_id=machine_id, now=now)
    offer = offers.select_related("machine").get()
    logger.info("Terms set", extra={"machine_id": machine_id, "host_id": host_id})
    return offer


def _country(told: str | None) -> str:
    try:
        return country.country(told or "")
    except ValueError:
        raise TermsInvalid("Write the country as two letters, such as DE.") from None


def _invite(offer: Offer, emails: Sequence[str]) -> None:
    wanted = {email.strip().lower() for email in emails}
    offer.guests.exclude(email__in=wanted).delete()
    Guest.objects.bulk_create(
        [Guest(offer=offer, email=email) for email in sorted(wanted)], ignore_conflicts=True
    )


def _check_opening(terms: Terms, now: datetime) -> None:
    ends_at = terms.get("ends_at")
    if ends_at is not None and ends_at <= now:
        raise TermsInvalid("The end date lies in the past; name a later one.")
    begins, ends = terms.get("maintenance_from"), terms.get("maintenance_until")
    if (begins is None) is not (ends is None):
        raise TermsInvalid("Say both when the maintenance begins and when it ends.")
    if begins is not None and ends is not None and not (begins < ends and now < ends):
        raise TermsInvalid("The maintenance has to end after it begins, and after now.")
    for email in terms.get("guests") or ():
        try:
            validate_email(email.strip())
        except ValidationError:
            raise TermsInvalid(f"{email[:100]!r} is no e-mail address.") from None


def _check_notice(terms: Terms, offer: Offer, now: datetime) -> None:
    """Accept a maintenance that was announced early enough, or that ends nobody's work."""
    begins, announced = terms.get("maintenance_from"), offer.maintenance_from
    if begins is None or begins >= now + NOTICE:
        return
    is_ahead = offer.maintenance_until is not None and offer.maintenance_until > now
    # A form knows no seconds.
    if announced and is_ahead and begins >= announced.replace(second=0, microsecond=0):
        return
    ended = Machine.objects.filter(
        id=offer.machine_id,
        placements__state__in=set(LIVE) - {PlacementState.COLLECTING},
        placements__funded_until__gt=begins,
    )
    if ended.exists():
        raise NoticeTooShort(
            "Somebody's work would end without notice; let the maintenance begin at"
            f" {now + NOTICE + timedelta(minutes=1):%Y-%m-%d %H:%M} UTC or later."
        )


def _check_slice(terms: Terms, offer: Offer) -> None:
    machine = offer.machine
    cpus_min, gpus_min = terms.get("cpus_min") or 0, terms.get("gpus_min") or 0
    if cpus_min > machine.cpus_total or gpus_min > machine.gpus_total:
        raise TermsInvalid(
            f"The smallest slice cannot be more than the machine has:"
            f" CPUs {machine.cpus_total}, GPUs {machine.gpus_total}."
        )


def _check(terms: Terms) -> None:
    prices = (
        terms.get("price_gpu_hour_microusd"),
        terms.get("price_cpu_hour_microusd"),
        terms.get("bid_floor_microusd"),
    )
    bounds = range(PRICE_HOUR_MICROUSD_MIN, PRICE_HOUR_MICROUSD_MAX + 1)
    if any(price is not None and price not in bounds for price in prices):
        raise TermsInvalid
    upkeep = (terms.get("storage_price_microusd"), terms.get("network_price_microusd"))
    if any(price is not None and not 0 <= price <= PRICE_GB_MICROUSD_MAX for price in upkeep):
        raise TermsInvalid("A GB of storage or of traffic costs between $0 and $10.")
    curve(terms.get("discounts") or ())
    longest_term_s = terms.get("longest_term_s")
    cpus_min, gpus_min = terms.get("cpus_min"), terms.get("gpus_min")
    if (cpus_min is not None and cpus_min < 1) or (gpus_min is not None and gpus_min < 0):
        raise TermsInvalid("The smallest slice has at least one CPU.")
    if longest_term_s is not None and not 1 <= longest_term_s <= TERM_S_MAX:
        raise TermsInvalid
