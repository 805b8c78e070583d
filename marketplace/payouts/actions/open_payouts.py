"""This will set hosts' money apart for the payout of each Friday."""

import logging
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from marketplace.domain.features import Feature
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.payout import available, friday, payable
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import InsufficientFunds, post
from marketplace.ledger.models import Account
from marketplace.oversight import switches
from marketplace.payments import queries as payments
from marketplace.payouts import configured_gateway, queries
from marketplace.payouts.disagreeing import disagreeing
from marketplace.payouts.gateway import PayoutGateway
from marketplace.payouts.models import Payout, PayoutAccount, Route

ACCOUNTS_MAX = 200
NOTE = "Paid out"

log = logging.getLogger(__name__)


def open_payouts(*, now: datetime, gateway: PayoutGateway | None = None) -> int:
    """Return how many payouts this pass opened.

    Each account is decided on once for each Friday, by what was available as that day began in
    UTC. One that could not be paid to then waits for the next; one with which the audit disagrees
    is decided on once that is cleared.
    """
    if gateway is None and not configured_gateway.is_there():
        return 0
    if switches.is_off(Feature.PAYOUTS):
        return 0
    chosen, day = gateway or configured_gateway.get(), friday(now)
    waiting = disagreeing()
    if waiting.everybody:
        log.warning("payouts wait for the audit to agree")
        return 0
    undecided = PayoutAccount.objects.filter(
        Q(decided_on=None) | Q(decided_on__lt=day.date()),
        closed_at=None,
        enabled_at__lte=day,
        gateway=chosen.name,
        host__is_active=True,
    ).exclude(host_id__in=waiting.host_ids)
    in_order = undecided.order_by("opened_at", "id")
    ids = list(in_order.values_list("pk", flat=True)[:ACCOUNTS_MAX])
    return sum(_decide(account_id, chosen, day, now) for account_id in ids)


def _decide(account_id: UUID, gateway: PayoutGateway, day: datetime, now: datetime) -> bool:
    try:
        with transaction.atomic():
            return _open(account_id, gateway, day, now)
    except InsufficientFunds:
        # Something was given back meanwhile; the next pass counts anew.
        log.info("payout counted anew", extra={"payout_account_id": account_id})
    except Exception:
        # The others must not wait for who mends this one; the next pass tries it again.
        log.exception("payout not opened", extra={"payout_account_id": account_id})
    return False


def _open(account_id: UUID, gateway: PayoutGateway, day: datetime, now: datetime) -> bool:
    rows = PayoutAccount.objects.select_for_update(of=("self",))
    account = rows.get(pk=account_id)
    if account.decided_on is not None and account.decided_on >= day.date():
        return False
    account.decided_on = day.date()
    account.save(update_fields=["decided_on"])
    amount = _amount(account, day)
    if not amount or Payout.objects.filter(host_id=account.host_id, week=day.date()).exists():
        return False
    _set_apart(account, amount, day.date(), gateway.sink, now)
    return True


def _amount(account: PayoutAccount, day: datetime) -> MicroUsd:
    details = queries.details(account.host_id)
    if details is None or details.route == Route.CHAIN_ONLY or details.country != account.country:
        return MicroUsd(0)
    if payments.is_contested(account.host_id):
        # Who pays with a strange card and earns it himself must not be gone with it.
        return MicroUsd(0)
    terms = configured_gateway.terms()
    earnings = queries.earnings(account.host_id, as_of=day, terms=terms)
    found = available(earnings, terms.reserve_ppm)
    return payable(found, terms.amount_microusd_min)


def _set_apart(
    account: PayoutAccount, amount: MicroUsd, week: date, sink: AccountKind, now: datetime
) -> None:
    payout = Payout.objects.create(
        host_id=account.host_id,
        account=account,
        week=week,
        amount_microusd=amount,
        sink=sink,
        due_at=now,
        created_at=now,
    )
    post(
        debit=open_account.earnings(user_id=account.host_id),
        credit=sink_account(sink),
        amount_microusd=amount,
        kind=TransferKind.PAYOUT,
        cause=f"payout:{payout.pk}",
        note=f"{NOTE} for the week of {week:%-d %b %Y}",
        now=now,
    )
    log.info("payout opened", extra={"payout_id": payout.pk})


def sink_account(sink: str) -> Account:
    """Return the site's account that stands for where the money went."""
    return open_account.promo() if sink == AccountKind.PROMO else open_account.outside()
