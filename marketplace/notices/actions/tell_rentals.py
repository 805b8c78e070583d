"""This will tell renters what becomes of their rentals without their doing."""

from datetime import datetime, timedelta

from marketplace.domain.money import format_usd
from marketplace.domain.placement import ENDED, FUNDED, LIVE, OUTBID, PlacementState
from marketplace.domain.price_proposal import ProposalState
from marketplace.notices.actions.notify import notify
from marketplace.notices.actions.tell_funds import tell_funds
from marketplace.notices.models import Watched
from marketplace.placements.models import PlacementEvent
from marketplace.rentals.actions.renew import FILES_OVER
from marketplace.rentals.funds import BALANCE_OUT
from marketplace.rentals.models import Failover, IdleRule, PriceProposal, Rental
from protocol.agent import Want

ROWS_MAX = 500
#: of a rental's end; one that was rented for little more than that is not told
ENDS_IN = {"ends-24h": timedelta(hours=24), "ends-1h": timedelta(hours=1)}
#: by then every transaction that wrote an older event is over
SETTLED_AFTER = timedelta(seconds=15)
#: what the renter did, and knows
OWN_DOING = frozenset({"renter_stopped", "renter_ended"})
#: what actions/tell_funds.py tells
TOLD_ELSEWHERE = frozenset({BALANCE_OUT})
#: that the renter agreed to
AGREED = frozenset({"lease_ended", "cap_reached", "term_ended"})
#: or was told of for 7 days
FORESEEN = AGREED | {FILES_OVER}
UNTOLD = OWN_DOING | TOLD_ELSEWHERE | {""}
TOLD_STATES = (PlacementState.STOPPING, PlacementState.COLLECTING, *ENDED)


def tell_rentals(*, now: datetime) -> int:
    """Return how many renters were told that a rental ends soon, has no money, stopped, runs again,
    ended or failed, or that its host asks a higher price.

    Each thing is looked at once, in its order; who is killed on the way begins again there, and
    nobody is told twice.
    """
    soon = sum(_tell_of_ends(name, ahead, now) for name, ahead in ENDS_IN.items())
    return (
        soon
        + tell_funds(now=now)
        + _tell_of_idle(now)
        + _tell_of_prices(now)
        + _tell_of_events(now)
    )


def _tell_of_ends(name: str, ahead: timedelta, now: datetime) -> int:
    mark, _ = Watched.objects.get_or_create(name=name, defaults={"at": now})
    until = now + ahead
    rows = Rental.objects.filter(
        placement__state__in=FUNDED,
        placement__funded_until__gt=max(mark.at or now, now),
        placement__funded_until__lte=until,
    ).exclude(placement__want=Want.END)
    found = list(
        rows.select_related("placement").order_by("placement__funded_until", "id")[:ROWS_MAX]
    )
    told = sum(_tell_of_end(rental, name, ahead, now) for rental in found)
    mark.at = found[-1].placement.funded_until if len(found) == ROWS_MAX else until
    mark.save(update_fields=["at"])
    return told


def _tell_of_end(rental: Rental, name: str, ahead: timedelta, now: datetime) -> bool:
    ends_at = rental.placement.funded_until
    if ends_at - rental.started_at < 2 * ahead:
        return False
    hours = ahead // timedelta(hours=1)
    return notify(
        user_id=rental.renter_id,
        kind="rental_ends_soon",
        cause=f"rental:{rental.id}:{name}:{ends_at.isoformat()}",
        title=f"Your rental {rental.called} ends in {hours} hour{'s' if hours > 1 else ''}",
        text=f"It ends at {ends_at:%-d %b %Y, %H:%M} UTC, and its files end with it. Extend it, or"
        " copy what you need.",
        data=_data(rental) | {"ends_at": ends_at.isoformat()},
        now=now,
    )


def _tell_of_idle(now: datetime) -> int:
    """Tell at half time, of each idle stretch once."""
    rules = IdleRule.objects.filter(
        idle_since__isnull=False, rental__placement__state=PlacementState.RUNNING
    ).select_related("rental")
    return sum(
        _tell_of_rule(rule, now)
        for rule in rules.order_by("idle_since", "id")[:ROWS_MAX]
        if rule.idle_since is not None
        and now - rule.idle_since >= timedelta(seconds=rule.after_s) / 2
    )


def _tell_of_rule(rule: IdleRule, now: datetime) -> bool:
    since = rule.idle_since or now
    stops_at = since + timedelta(seconds=rule.after_s)
    return notify(
        user_id=rule.rental.renter_id,
        kind="rental_idle",
        cause=f"rental:{rule.rental_id}:idle:{since.isoformat()}",
        title=f"Your rental {rule.rental.called} is idle and will be stopped",
        text=f"It has been below {rule.below_percent} % since {since:%H:%M} UTC. If that goes on it"
        f" is stopped at {stops_at:%H:%M} UTC, as you asked; its files are kept.",
        data=_data(rule.rental) | {"idle_since": since.isoformat()},
        now=now,
    )


def _tell_of_prices(now: datetime) -> int:
    """Tell of each price that waits for a first answer."""
    asked = PriceProposal.objects.filter(
        state=ProposalState.OPEN, rental__placement__state__in=LIVE
    ).select_related("rental")
    return sum(_tell_of_price(one, now) for one in asked.order_by("proposed_at", "id")[:ROWS_MAX])


def _tell_of_price(asked: PriceProposal, now: datetime) -> bool:
    former = format_usd(asked.rental.price_hour_microusd)
    price = format_usd(asked.price_hour_microusd)
    return notify(
        user_id=asked.rental.renter_id,
        kind="price_asked",
        cause=f"rental:{asked.rental_id}:price:{asked.pk}",
        title=f"The host of your rental {asked.rental.called} asks {price} an hour",
        text=f"It costs {former} an hour, and goes on so to its end unless you accept the new"
        f" price, which would hold from {asked.from_at:%-d %b %Y, %H:%M} UTC on.",
        data=_data(asked.rental) | {"price_hour_microusd": str(asked.price_hour_microusd)},
        now=now,
    )


def _tell_of_events(now: datetime) -> int:
    newest = PlacementEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    mark, is_new = Watched.objects.get_or_create(name="events", defaults={"number": newest})
    if is_new:
        return 0
    rows = PlacementEvent.objects.filter(id__gt=mark.number, at__lte=now - SETTLED_AFTER)
    events = list(rows.order_by("id")[:ROWS_MAX])
    telling = {
        event.placement_id: event
        for event in events
        if (event.new_state in TOLD_STATES and event.reason_code not in UNTOLD) or _resumed(event)
    }
    rentals = Rental.objects.filter(placement_id__in=telling)
    rentals = rentals.select_related("placement", "failover")
    told = sum(
        _tell_of_event(one, telling[one.placement_id], now) for one in rentals.order_by("id")
    )
    if events:
        mark.number = events[-1].id
        mark.save(update_fields=["number"])
    return told


def _resumed(event: PlacementEvent) -> bool:
    """Whether it runs, and its newest run before was stopped as it was outbid."""
    if event.new_state != PlacementState.RUNNING or event.old_state == event.new_state:
        return False
    before = PlacementEvent.objects.filter(placement_id=event.placement_id, id__lt=event.pk)
    bounds = before.filter(new_state__in=(PlacementState.STOPPING, PlacementState.RUNNING))
    newest = bounds.order_by("-id").first()
    return newest is not None and newest.reason_code == OUTBID.code


def _tell_of_event(rental: Rental, event: PlacementEvent, now: datetime) -> bool:
    text, data = rental.placement.reason, _data(rental) | {"reason_code": event.reason_code}
    wish: Failover | None = getattr(rental, "failover", None)
    if wish is not None and wish.successor_id is not None:
        text += f" Rental {str(wish.successor_id)[:8]} on another machine took its place."
        data["successor_id"] = str(wish.successor_id)
    if event.new_state == PlacementState.RUNNING:
        kind, became = "rental_resumed", "runs again"
        text = "Its bid wins; its files are as they were."
    elif event.new_state == PlacementState.STOPPING:
        kind, became = "rental_stopped", "was stopped"
    elif event.reason_code in FORESEEN:
        kind, became = "rental_ended", "has ended"
    else:
        kind, became = "rental_failed", "was ended early"
    return notify(
        user_id=rental.renter_id,
        kind=kind,
        cause=f"rental:{rental.id}:event:{event.pk}",
        title=f"Your rental {rental.called} {became}",
        text=text,
        data=data,
        now=now,
    )


def _data(rental: Rental) -> dict[str, str]:
    return {"rental_id": str(rental.id), "url": f"/rentals/{rental.id}/"}
