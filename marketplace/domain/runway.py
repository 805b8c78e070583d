"""This will say how long a balance lasts, and when to warn of its end."""

from datetime import timedelta

from marketplace.domain.money import MS_PER_HOUR

#: the last warnings come closer: a person needs the first to plan, the last to act
WARNED_AT = (timedelta(hours=24), timedelta(hours=4), timedelta(hours=1))

#: stands for all that is longer, which no date holds
RUNWAY_MS_MAX = 100 * 365 * 24 * MS_PER_HOUR


def runway(available_microusd: int, *, burn_hour_microusd: int) -> timedelta:
    """Return how long the money lasts at what an hour costs, which is above zero."""
    left_ms = available_microusd * MS_PER_HOUR // burn_hour_microusd
    return timedelta(milliseconds=min(left_ms, RUNWAY_MS_MAX))


def warned_at(left: timedelta) -> timedelta | None:
    """Return the shortest of the warnings that so little time asks for; None: there is enough."""
    return min((one for one in WARNED_AT if left <= one), default=None)
