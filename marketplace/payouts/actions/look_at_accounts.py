"""This will keep up with hosts' accounts: whether each can be paid to, and if not, why."""

import logging
from datetime import datetime, timedelta

from marketplace.domain.transfer_out import AccountFacts
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payouts import configured_gateway
from marketplace.payouts.gateway import PayoutGateway
from marketplace.payouts.models import Payout, PayoutAccount

#: an account that is well, and one whose host may be filling in a form
LOOK_DAILY = timedelta(days=1)
LOOK_HOURLY = timedelta(hours=1)
#: after one that was not answered
LOOK_SOON = timedelta(minutes=5)
ACCOUNTS_MAX = 100

log = logging.getLogger(__name__)


def look_at_accounts(*, now: datetime, gateway: PayoutGateway | None = None) -> int:
    """Return how many accounts were looked at. Call it outside a transaction."""
    due = PayoutAccount.objects.filter(closed_at=None, look_at__lte=now).exclude(reference="")
    rows = due.order_by("look_at", "id")
    if not rows.exists() or (gateway is None and not configured_gateway.is_there()):
        return 0
    chosen = gateway or configured_gateway.get()
    looked = 0
    for account in rows.filter(gateway=chosen.name)[:ACCOUNTS_MAX]:
        if not look(account, chosen, now):
            # The others would wait as long for no answer.
            break
        looked += 1
    return looked


def look(account: PayoutAccount, gateway: PayoutGateway, now: datetime) -> bool:
    """Write down how one account is; return whether the processor answered."""
    try:
        facts = gateway.look(reference=account.reference)
    except GatewayUnreachable:
        log.warning("payout account not seen", extra={"payout_account_id": account.pk})
        PayoutAccount.objects.filter(pk=account.pk).update(look_at=now + LOOK_SOON)
        return False
    write_down(account, facts, now)
    return True


def write_down(account: PayoutAccount, facts: AccountFacts, now: datetime) -> None:
    """Keep the facts; an account of another country than the host's papers is not paid to."""
    reason = facts.reason
    if facts.country and facts.country != account.country:
        reason = (
            f"Your papers say {account.country} and the account {facts.country}: both must be the"
            " same. Mend your tax details, then go on with an account of that country."
        )
    enabled = facts.enabled and not reason
    rows = PayoutAccount.objects.filter(pk=account.pk)
    rows.update(
        currency=facts.currency,
        reason=reason,
        look_at=now + (LOOK_DAILY if enabled else LOOK_HOURLY),
    )
    turned = (
        rows.filter(enabled_at=None).update(enabled_at=now)
        if enabled
        else rows.exclude(enabled_at=None).update(enabled_at=None)
    )
    if turned:
        log.info(
            "payout account changed", extra={"payout_account_id": account.pk, "enabled": enabled}
        )


def nudge(reference: str, *, now: datetime) -> None:
    """Have an account, and what was sent to it, looked at by the next pass."""
    PayoutAccount.objects.filter(reference=reference, closed_at=None).update(look_at=now)
    Payout.objects.filter(account__reference=reference, due_at__gt=now).exclude(
        sent_at=None
    ).update(due_at=now)
