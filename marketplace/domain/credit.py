"""This will say which credit a hold takes and what is left of it: what ends soonest goes first."""

from collections.abc import Sequence

from marketplace.domain.money import MicroUsd


def taken(amount_microusd: int, left_microusd: Sequence[int]) -> Sequence[MicroUsd]:
    """Return what an amount takes of each grant, which are given as they end, soonest first.

    They add up to the amount, or to all that is left where that is less.
    """
    parts = []
    for left in left_microusd:
        part = max(0, min(left, amount_microusd))
        parts.append(MicroUsd(part))
        amount_microusd -= part
    return parts


def unspent(charged_microusd: int, taken_microusd: Sequence[int]) -> Sequence[MicroUsd]:
    """Return what is left of each grant in a hold: charges spend credit before money.

    ``taken_microusd``: what the hold took of each, as they end, soonest first.
    """
    spent = taken(charged_microusd, taken_microusd)
    return [MicroUsd(whole - part) for whole, part in zip(taken_microusd, spent, strict=True)]


def returned(
    amount_microusd: int, money_microusd: int, spent_microusd: Sequence[int]
) -> tuple[MicroUsd, Sequence[MicroUsd]]:
    """Return how much of what is given back is money, and how much is credit of each grant.

    As if it had never been charged: charges spend money last, so money comes back first, and of
    credit what ends last. ``money_microusd`` and ``spent_microusd``: what was spent and not given
    back yet, of money and of each grant, as they end, soonest first; together no less.
    """
    money = MicroUsd(min(amount_microusd, money_microusd))
    parts = taken(amount_microusd - money, spent_microusd[::-1])
    return money, parts[::-1]
