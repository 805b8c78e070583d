"""This will say what somebody who never rented still needs."""

from dataclasses import dataclass

from marketplace.domain.money import format_usd


@dataclass(frozen=True, slots=True)
class Start:
    has_key: bool
    has_money: bool
    balance: str


def start(*, keys: int, balance_microusd: int) -> Start:
    """Return what is there already."""
    return Start(
        has_key=keys > 0, has_money=balance_microusd > 0, balance=format_usd(balance_microusd)
    )
