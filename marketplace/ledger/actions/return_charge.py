"""This will give a renter back a part of what was charged: money as money, credit as credit."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from marketplace.domain.given_back import Shares, kept_microusd, shares
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import returns
from marketplace.ledger.actions import held_credit, open_account
from marketplace.ledger.actions.post import AmountRefused, CauseReused, Entry, post_together
from marketplace.ledger.models import Account, Hold, Transfer

#: what left a hold without having been charged
_UNCHARGED = (TransferKind.RELEASE, TransferKind.EXPIRY)


def lock(*, hold_id: UUID) -> Hold:
    """Return the hold, locked with the credit that it took: both come before accounts."""
    hold = Hold.objects.select_for_update().get(pk=hold_id)
    held_credit.lock([hold.pk])
    return hold


def return_charge(
    *,
    hold_id: UUID,
    amount_microusd: MicroUsd,
    fee_microusd: MicroUsd,
    host_user_id: int,
    cause: str,
    note: str,
    now: datetime,
    site_alone: bool = False,
) -> Shares:
    """Give back a part of what the hold was charged, to where it came from; return who gave it.

    The site gives its fee of it and the host the rest, out of earnings; what these do not have the
    site bears. ``site_alone``: it bears all, and the host keeps what they earned. Nothing goes into
    the hold. Credit that has ended meanwhile does not come back, so nobody gives for it.

    :raises AmountRefused: when that is more than can come back (``left``), or nothing.
    :raises CauseReused: when that was done already.
    """
    with transaction.atomic():
        hold = lock(hold_id=hold_id)
        if Transfer.objects.filter(cause=cause).exists():
            raise CauseReused
        most = left(hold, now=now)
        if not 0 < amount_microusd <= most or not 0 <= fee_microusd <= amount_microusd:
            raise AmountRefused("No more can be given back than was charged and has not ended.")
        money, credit = held_credit.give_spent_back(
            hold=hold, amount_microusd=amount_microusd, spent_microusd=_spent(hold), now=now
        )
        earnings = open_account.earnings(user_id=host_user_id)
        into = (
            (open_account.wallet(user_id=hold.user_id), money),
            (open_account.credit(user_id=hold.user_id), credit.back_microusd),
        )
        parts = shares(
            amount_microusd,
            fee_microusd=fee_microusd,
            site_alone=site_alone,
            earned_microusd=_locked_balance(earnings, [into[0][0], into[1][0]]),
        )
        hold.returned_microusd += amount_microusd
        hold.site_returned_microusd += kept_microusd(parts, fee_microusd=fee_microusd)
        hold.save(update_fields=["returned_microusd", "site_returned_microusd"])
        out_of = ((earnings, parts.host_microusd), (open_account.fees(), parts.site_microusd))
        entries = list(_entries(out_of, into, cause, note))
        post_together(entries=entries, now=now)
    return parts


def left(hold: Hold, *, now: datetime) -> MicroUsd:
    """Return what can be given back: what was charged, less what came back and credit that ended.

    As money comes back first, and of credit what ends last, what ended is what is left at last.
    """
    return MicroUsd(_spent(hold) - credit_ended(hold, now=now))


def credit_ended(hold: Hold, *, now: datetime) -> MicroUsd:
    """Return what was charged of credit that has ended since: it cannot come back."""
    return held_credit.spent_and_ended(hold=hold, spent_microusd=_spent(hold), now=now)


def _spent(hold: Hold) -> int:
    """Return what was charged and did not come back."""
    account = Account.objects.get(pk=hold.account_id)
    spent = account.debits_posted - hold.returned_microusd
    if hold.released_at is None:
        return spent
    rows = Transfer.objects.filter(debit=account, kind__in=_UNCHARGED)
    return spent - (rows.aggregate(sum=Sum("amount_microusd"))["sum"] or 0)


def _locked_balance(earnings: Account, others: Sequence[Account]) -> int:
    """Return what the earnings have, which nobody takes meanwhile.

    All accounts of people are locked in the one order; the site's own come last, as they are
    posted to.
    """
    ids = [earnings.pk, *(one.pk for one in others)]
    rows = Account.objects.filter(pk__in=ids).select_for_update().order_by("pk")
    return next(int(row.balance_microusd) for row in rows if row.pk == earnings.pk)


def _entries(
    out_of: Sequence[tuple[Account, int]],
    into: Sequence[tuple[Account, int]],
    cause: str,
    note: str,
) -> Iterator[Entry]:
    """Yield the fewest transfers that move all of it, the host's part first."""
    wants = deque(one for one in into if one[1])
    # One part more would stand as a line of its own: it has no cause, and nothing is posted.
    causes = deque(returns.causes(cause))
    for debit, has in out_of:
        while has:
            credit, want = wants.popleft()
            amount = min(has, want)
            own = causes.popleft()
            yield Entry(debit, credit, MicroUsd(amount), TransferKind.REFUND, own, note)
            has -= amount
            if want > amount:
                wants.appendleft((credit, want - amount))
