"""This will ask the cards of people whose balance fell below what they set."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from marketplace.domain.features import Feature
from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import AUTO_TOP_UP_EVERY, AutoTopUpRule, top_up_is_due
from marketplace.ledger import queries as ledger
from marketplace.ledger.models import Account
from marketplace.one_by_one import one_by_one
from marketplace.oversight import switches
from marketplace.payments import configured_gateway, queries
from marketplace.payments.actions.top_up import CardNeeded, CardsBarred, ask, begin
from marketplace.payments.card_processor import CardProcessor
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import AutoTopUp, TopUp, TopUpState

RULES_MAX = 200

log = logging.getLogger(__name__)


def auto_top_up(*, now: datetime) -> int:
    """Return how many cards answered; one is asked once an hour at most.

    Call it outside a transaction: the processor is a remote call.
    """
    if not configured_gateway.takes_cards() or switches.is_off(Feature.TOP_UPS):
        return 0
    processor = configured_gateway.cards()
    asked = one_by_one(
        _low(now),
        lambda rule: _ask(rule, processor, now),
        failed="Automatic payment not asked for",
        most=RULES_MAX,
        silence=(GatewayUnreachable,),
    )
    return sum(asked)


def _ask(rule: AutoTopUp, processor: CardProcessor, now: datetime) -> bool:
    attempt = _begun(rule.pk, processor, now)
    if attempt is None:
        return False
    # Where no answer comes, the payment is a row by now: the pass for pending ones goes on with it.
    ask(attempt, gateway=processor, now=now)
    return True


def _low(now: datetime) -> QuerySet[AutoTopUp]:
    """Return the rules whose person has less than they want and may be asked now.

    Who may not, as their month is used up, must not stand before the others for the rest of it.
    """
    wallet = Account.objects.filter(user_id=OuterRef("user_id"), kind=AccountKind.WALLET)
    balance = wallet.annotate(balance=F("credits_posted") - F("debits_posted")).values("balance")
    mine = queries.automatic_since_month_began(now).filter(user_id=OuterRef("user_id"))
    asked = mine.order_by().values("user").annotate(sum=Sum("amount_microusd")).values("sum")
    pending = TopUp.objects.filter(user_id=OuterRef("user_id"), state=TopUpState.PENDING)
    rested = Q(asked_at=None) | Q(asked_at__lte=now - AUTO_TOP_UP_EVERY)
    return (
        AutoTopUp.objects.filter(rested, is_on=True, user__is_active=True)
        .annotate(
            to_spend=Coalesce(Subquery(balance, output_field=BigIntegerField()), 0),
            asked_of_month=Coalesce(Subquery(asked, output_field=BigIntegerField()), 0),
        )
        .filter(
            ~Exists(pending),
            to_spend__lt=F("threshold_microusd"),
            asked_of_month__lte=F("month_microusd_max") - F("amount_microusd"),
        )
        .order_by(F("asked_at").asc(nulls_first=True), "pk")
    )


def _begun(rule_id: int, processor: CardProcessor, now: datetime) -> TopUp | None:
    """Return the payment that the card is to be asked for, written down with the moment.

    The rule's row is locked, so two passes beside each other begin one payment.
    """
    with transaction.atomic():
        row = AutoTopUp.objects.select_for_update().get(pk=rule_id)
        rule = AutoTopUpRule(
            MicroUsd(row.threshold_microusd),
            MicroUsd(row.amount_microusd),
            MicroUsd(row.month_microusd_max),
        )
        due = row.is_on and top_up_is_due(
            rule,
            to_spend=ledger.balance(row.user_id),
            this_month=queries.asked_automatically(row.user_id, now),
            asked_at=row.asked_at,
            now=now,
        )
        if not due or queries.has_pending(row.user_id):
            return None
        try:
            attempt = begin(
                user_id=row.user_id,
                amount_microusd=rule.amount_microusd,
                cause=f"auto:{row.user_id}:{int(now.timestamp() * 1000)}",
                gateway=processor,
                now=now,
                automatic=True,
            )
        except (CardNeeded, CardsBarred) as refused:
            row.is_on, row.off_because = False, refused.detail
            row.save(update_fields=["is_on", "off_because"])
            return None
        row.asked_at = now
        row.save(update_fields=["asked_at"])
    log.info("automatic top-up", extra={"top_up_id": attempt.pk, "user_id": row.user_id})
    return attempt
