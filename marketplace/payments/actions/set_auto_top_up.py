"""This will keep a person's rule by which their card is asked without them."""

from django.db import transaction

from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import AutoTopUpRule
from marketplace.domain.problem import Refused
from marketplace.payments.actions.top_up import (
    AMOUNT_MICROUSD_MAX,
    CardNeeded,
    CardsBarred,
    check_amount,
)
from marketplace.payments.models import AutoTopUp, Payer

MONTH_MICROUSD_MAX = MicroUsd(10 * AMOUNT_MICROUSD_MAX)


class RuleRefused(Refused):
    """The balance or the month's limit does not go with the amount of a payment."""

    code = "auto_top_up_unfit"
    status = 422


def set_auto_top_up(*, user_id: int, rule: AutoTopUpRule) -> AutoTopUp:
    """Turn automatic payments on by this rule; earlier refusals are forgotten.

    :raises CardNeeded: when no card is saved.
    :raises CardsBarred: when this person's cards are not taken any more.
    :raises TopUpAmountRefused: when no card is asked for this amount.
    :raises RuleRefused: when threshold or limit do not go with it.
    """
    check_amount(rule.amount_microusd)
    if not 0 < rule.threshold_microusd <= AMOUNT_MICROUSD_MAX:
        raise RuleRefused("Name a balance above zero below which the card is asked.")
    if not rule.amount_microusd <= rule.month_microusd_max <= MONTH_MICROUSD_MAX:
        raise RuleRefused("The limit of a month is at least the amount that is added at once.")
    payer = Payer.objects.filter(user_id=user_id).exclude(card="").first()
    if payer is None:
        raise CardNeeded
    if payer.barred_at is not None:
        raise CardsBarred
    with transaction.atomic():
        made, _ = AutoTopUp.objects.update_or_create(
            user_id=user_id,
            defaults={
                "is_on": True,
                "threshold_microusd": rule.threshold_microusd,
                "amount_microusd": rule.amount_microusd,
                "month_microusd_max": rule.month_microusd_max,
                "declines": 0,
                "off_because": "",
            },
        )
    return made


def turn_off(*, user_id: int) -> None:
    """Ask the card no more by itself; the rule is kept."""
    AutoTopUp.objects.filter(user_id=user_id).update(is_on=False, off_because="")
