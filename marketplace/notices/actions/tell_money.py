"""This will warn people whose balance runs low, and tell of limits that were changed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Sum

from marketplace.accounts.models import SpendLimit
from marketplace.domain.funding import Funding
from marketplace.domain.money import format_usd
from marketplace.domain.placement import PlacementState
from marketplace.domain.runway import runway, warned_at
from marketplace.endpoints.models import Replica
from marketplace.ledger import queries as ledger
from marketplace.notices.actions.notify import notify
from marketplace.notices.models import Runway, Watched
from marketplace.rentals.models import Rental

ROWS_MAX = 500
#: by then the transaction that made an older change is over
SETTLED_AFTER = timedelta(seconds=15)


def tell_money(*, now: datetime) -> int:
    """Return how many people were told.

    Of each warning once, and again when it was left meanwhile by a top-up or by an end.
    """
    return warn(burning(), now=now) + _tell_of_limits(now)


def warn(burning: Mapping[int, tuple[int, int]], *, now: datetime) -> int:
    """Return how many of those who burn money were warned; ``burning`` is as its namesake tells."""
    # Who burns nothing is warned anew when that begins again.
    Runway.objects.exclude(user_id__in=burning).delete()
    known = {one.user_id: one for one in Runway.objects.filter(user_id__in=burning)}
    told = 0
    for user_id, (burn_hour, ahead) in burning.items():
        left = runway(ledger.balance(user_id) + ahead, burn_hour_microusd=burn_hour)
        with transaction.atomic():
            told += _warn_of(user_id, left, burn_hour, known.get(user_id), now)
    return told


def burning() -> Mapping[int, tuple[int, int]]:
    """Return what an hour costs, and what is held ahead, of everybody who pays as it goes.

    These are endpoints, and rentals that are paid an hour ahead whose balance does not reach to
    their end. Others have all their money set aside, and no balance ends them.
    """
    found = dict(_endpoints())
    for user_id, (burn_hour, ahead, to_come) in _rolling().items():
        if user_id in found or to_come > ledger.balance(user_id):
            before = found.get(user_id, (0, 0))
            found[user_id] = (before[0] + burn_hour, before[1] + ahead)
    return found


def _endpoints() -> Mapping[int, tuple[int, int]]:
    rows = (
        Replica.objects.filter(over_at=None)
        .values("endpoint__renter")
        .annotate(
            burn=Sum("meter__price_hour_microusd"),
            ahead=Sum(F("worst_total_microusd") - F("meter__charged_microusd")),
        )
        .order_by("endpoint__renter")
    )
    return {
        row["endpoint__renter"]: (row["burn"], max(0, row["ahead"])) for row in rows if row["burn"]
    }


def _rolling() -> Mapping[int, tuple[int, int, int]]:
    """Return what an hour costs, what is held ahead, and what is not held yet of all to come."""
    running = Rental.objects.filter(
        funding=Funding.ROLLING,
        placement__state=PlacementState.RUNNING,
        meter__proven_ms_max__isnull=False,
        meter__price_hour_microusd__gt=0,
    ).select_related("meter__hold__account")
    found: dict[int, tuple[int, int, int]] = {}
    for rental in running.order_by("id"):
        meter = rental.meter
        own = (
            meter.price_hour_microusd,
            meter.priced.cost(meter.proven_ms_max or 0) - meter.charged_microusd,
            rental.worst_total_microusd - meter.hold.account.credits_posted,
        )
        before = found.get(rental.renter_id, (0, 0, 0))
        found[rental.renter_id] = (before[0] + own[0], before[1] + own[1], before[2] + own[2])
    return found


def _warn_of(
    user_id: int, left: timedelta, burn_hour: int, before: Runway | None, now: datetime
) -> bool:
    at = warned_at(left)
    at_s = int(at.total_seconds()) if at is not None else 0
    former_s = before.warned_at_s if before is not None else 0
    if at_s == former_s:
        return False
    Runway.objects.update_or_create(user_id=user_id, defaults={"warned_at_s": at_s})
    if at_s == 0 or 0 < former_s < at_s:
        # Money came, or something ended: what was left is warned of again when it comes back.
        return False
    return notify(
        user_id=user_id,
        kind="balance_low",
        cause=f"balance-low:{user_id}:{now.isoformat()}",
        title=f"Your balance lasts for less than {at_s // 3600} hour{'s' if at_s > 3600 else ''}",
        text=f"What runs costs {format_usd(burn_hour)} an hour. Add money. When nothing is left,"
        " endpoints end, and rentals stop and keep their files for 7 days.",
        data={
            "url": "/money/",
            "left_s": int(left.total_seconds()),
            "burn_hour_microusd": burn_hour,
        },
        now=now,
    )


def _tell_of_limits(now: datetime) -> int:
    until = now - SETTLED_AFTER
    mark, _ = Watched.objects.get_or_create(name="limits", defaults={"at": until})
    rows = SpendLimit.objects.filter(changed_at__gt=mark.at, changed_at__lte=until)
    found = list(rows.order_by("changed_at", "id")[:ROWS_MAX])
    told = sum(_tell_of_limit(row, now) for row in found)
    newest = found[-1].changed_at if len(found) == ROWS_MAX else until
    Watched.objects.filter(pk=mark.pk).update(at=newest)
    return told


def _tell_of_limit(row: SpendLimit, now: datetime) -> bool:
    was, now_is = (
        "none" if limit is None else format_usd(limit)
        for limit in (row.former_microusd, row.limit_microusd)
    )
    changed_at = row.changed_at or now
    return notify(
        user_id=row.user_id,
        kind="spend_limit_changed",
        cause=f"spend-limit:{row.pk}:{changed_at.isoformat()}",
        title=f"Your spend limit of a {row.period} was changed",
        text=f"It was {was} and is {now_is}. If that was not you, change your password: that ends"
        " every API key.",
        data={"url": "/money/limits/", "period": row.period},
        now=now,
    )
