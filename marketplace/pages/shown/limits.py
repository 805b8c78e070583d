"""This will prepare spend limits for their pages."""

from dataclasses import dataclass

from marketplace.accounts.models import ApiKey, SpendLimit
from marketplace.domain.money import format_usd


@dataclass(frozen=True, slots=True)
class LimitLine:
    #: such as "Today"
    label: str
    counted: str
    limit: str
    #: 0 to 100
    used_percent: int
    #: what may still be set aside, or that nothing may
    left: str


def line(row: SpendLimit) -> LimitLine:
    """Return what is counted of one limit of an account."""
    label, again = ("Today", "tomorrow") if row.period == "day" else ("This month", "next month")
    counted, limit = row.counted_microusd, row.limit_microusd or 0
    left = limit - counted
    return LimitLine(
        label,
        format_usd(counted),
        format_usd(limit),
        used_percent=min(100, counted * 100 // limit) if limit else 100,
        left=f"{format_usd(left)} may still be set aside."
        if left > 0
        else f"It is used up: nothing more is set aside until {again}, or until you raise it.",
    )


def of_key(key: ApiKey) -> str:
    """Return ``$1.20 of $5.00``, or that the key has no limit."""
    row = getattr(key, "spend_limit", None)
    if row is None:
        return "no limit"
    return f"{format_usd(row.counted_microusd)} of {format_usd(row.limit_microusd or 0)}"
