"""This will tell renters that a host announced work on their machine, moved it or called it off."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from marketplace.domain.placement import LIVE
from marketplace.notices.actions.notify import notify
from marketplace.offers.models import Offer
from marketplace.one_by_one import one_by_one
from marketplace.rentals.models import Rental
from protocol.agent import Want

OFFERS_MAX = 200
#: of one machine renters are told no more often, however often its host changes their mind
EVERY = timedelta(hours=1)
#: but of work that begins so soon at once
SOON = timedelta(hours=2)
#: unless they were told of one that begins hardly later: a host who moves it minute by minute
#: writes no letter a minute
HARDLY = timedelta(minutes=15)
#: what is announced is another thing than what renters were told last
_UNTOLD = (
    Q(maintenance_from__isnull=False, maintenance_told_from__isnull=True)
    | Q(maintenance_from__isnull=True, maintenance_told_from__isnull=False)
    | Q(maintenance_from__lt=F("maintenance_told_from"))
    | Q(maintenance_from__gt=F("maintenance_told_from"))
)


def tell_maintenance(*, now: datetime) -> int:
    """Return how many announcements were passed on to whoever has a rental on the machine.

    Who rents later agreed to it: nothing is rented into it. Of several within an hour the last one
    is told when the hour is over, but for work that begins soon.
    """
    untold = Offer.objects.filter(_due(now)).order_by("id").values_list("id", flat=True)
    told = one_by_one(
        untold,
        lambda offer_id: _tell(offer_id, now),
        failed="Maintenance not told",
        most=OFFERS_MAX,
    )
    return len(told)


def _tell(offer_id: UUID, now: datetime) -> None:
    with transaction.atomic():
        offer = Offer.objects.select_for_update(of=("self",)).filter(_due(now), id=offer_id).first()
        if offer is None:
            return
        former, begins = offer.maintenance_told_from, offer.maintenance_from
        # Announced, called off and announced again is told each time, and each once.
        number = offer.maintenance_told + 1
        changes = {"maintenance_told_from": begins, "maintenance_told": number}
        Offer.objects.filter(id=offer.id).update(**changes)
        concerned = max(now, min(at for at in (former, begins) if at is not None))
        title, text = _words(offer, former, now)
        if not title:
            return
        Offer.objects.filter(id=offer.id).update(maintenance_told_at=now)
        rentals = Rental.objects.filter(
            placement__machine_id=offer.machine_id,
            placement__state__in=LIVE,
            placement__funded_until__gt=concerned,
        ).exclude(placement__want=Want.END)
        for rental in rentals.order_by("id"):
            notify(
                user_id=rental.renter_id,
                kind="rental_maintenance",
                cause=f"rental:{rental.id}:maintenance:{number}",
                title=title.format(rental.called),
                text=text,
                data={
                    "rental_id": str(rental.id),
                    "begins_at": None if begins is None else begins.isoformat(),
                    "url": f"/rentals/{rental.id}/",
                },
                now=now,
            )


def _due(now: datetime) -> Q:
    rested = Q(maintenance_told_at__isnull=True) | Q(maintenance_told_at__lte=now - EVERY)
    unknown = (
        Q(maintenance_told_from__isnull=True)
        | Q(maintenance_told_from__lte=now)
        | Q(maintenance_told_from__gt=F("maintenance_from") + HARDLY)
    )
    soon = Q(maintenance_from__gt=now, maintenance_from__lte=now + SOON)
    return _UNTOLD & (rested | (soon & unknown))


def _words(offer: Offer, former: datetime | None, now: datetime) -> tuple[str, str]:
    """Return title and text; both empty: what there was to tell is over."""
    begins, until = offer.maintenance_from, offer.maintenance_until
    if begins is not None and begins > now:
        return (
            "The host works on the machine of your rental {}",
            f"From {begins:%-d %b %Y, %H:%M} UTC to {until:%-d %b %Y, %H:%M} UTC. What still runs"
            " there then ends, with its files; volumes stay. Copy what you need before, or rent"
            " elsewhere. You pay for what was delivered up to then.",
        )
    if begins is None and former is not None and former > now:
        return (
            "The host called off the work on the machine of your rental {}",
            f"Nothing ends at {former:%-d %b %Y, %H:%M} UTC.",
        )
    return "", ""
