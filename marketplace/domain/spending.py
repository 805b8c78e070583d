"""This will bound what is set aside for rentals, jobs and endpoints in a day, a month or in all."""

from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused


class Period(StrEnum):
    """Over which time a limit counts. Days and months are UTC's."""

    DAY = "day"
    MONTH = "month"
    #: of an API key: for good
    TOTAL = "total"


class SpendLimitReached(Refused):
    """More would be set aside than the account's owner allows."""

    code = "spend_limit_reached"
    status = 409


def began(period: Period, now: datetime) -> datetime | None:
    """Return when the period of this moment began; None: it has no beginning."""
    if period is Period.TOTAL:
        return None
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if period is Period.DAY else day.replace(day=1)


def ends(period: Period, now: datetime) -> datetime | None:
    """Return when the period of this moment ends and its limit counts anew; None: never."""
    start = began(period, now)
    if start is None:
        return None
    if period is Period.DAY:
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)


def check(
    period: Period, *, limit_microusd: int, counted_microusd: int, more_microusd: int, now: datetime
) -> None:
    """Accept that so much more is set aside.

    :raises SpendLimitReached: when the limit leaves less.
    """
    left = max(0, limit_microusd - counted_microusd)
    if more_microusd <= left:
        return
    needed, limit, rest = map(format_usd, (more_microusd, limit_microusd, left))
    until = ends(period, now)
    if until is None:
        raise SpendLimitReached(
            f"This sets {needed} aside; this API key may spend {limit} in all and has {rest} left."
        )
    raise SpendLimitReached(
        f"This sets {needed} aside; your limit of {limit} a {period} leaves {rest} until"
        f" {until:%-d %b %H:%M} UTC. Raise it on the page Money."
    )
