"""This will set renters' money aside, credit first, charge it and give the rest back."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import held_credit, open_account, spend_limit
from marketplace.ledger.actions.count_earned import Earner
from marketplace.ledger.actions.give_back import give_back
from marketplace.ledger.actions.post import (
    AmountRefused,
    CauseReused,
    Entry,
    InsufficientFunds,
    post_together,
)
from marketplace.ledger.models import Account, Hold, Transfer

__all__ = [
    "HoldReleased",
    "InsufficientFunds",
    "capture",
    "increase",
    "place",
    "release",
    "release_expired",
]

logger = logging.getLogger(__name__)
#: holds that one pass releases; the next pass goes on
EXPIRED_MAX = 1000
#: holds released in one transaction, which keeps their locks for that long
EXPIRED_AT_ONCE = 100


class HoldReleased(Refused):
    code = "hold_released"
    status = 409
    sentence = "The money set aside for this was given back already."


def place(
    *,
    user_id: int,
    amount_microusd: MicroUsd,
    cause: str,
    note: str = "",
    expires_at: datetime | None = None,
    takes_credit: bool = True,
    now: datetime,
) -> Hold:
    """Set money aside, of the person's credit first; the same cause returns the same hold.

    ``expires_at``: it is given back then, if nobody did so before. None: it stays.
    ``takes_credit``: False leaves credit alone, now and whenever the hold is increased.

    :raises InsufficientFunds: when credit and wallet together do not hold that much.
    :raises SpendLimitReached: when a limit of the person leaves less.
    :raises CauseReused: when the cause stands for another hold already.
    """
    open_account.wallet(user_id=user_id)
    try:
        with transaction.atomic():
            hold = _hold_of_cause(cause) or _new_hold(
                user_id, cause, expires_at, now, takes_credit=takes_credit
            )
            _fill(hold, user_id, amount_microusd, cause, note, now)
    except IntegrityError:
        # Another process placed the hold of this cause while we were at it.
        placed = _hold_of_cause(cause)
        if placed is None:
            raise
        hold = placed
        _fill(hold, user_id, amount_microusd, cause, note, now)
    return hold


def increase(
    *, hold_id: UUID, amount_microusd: MicroUsd, cause: str, note: str = "", now: datetime
) -> None:
    """Set more money aside for the same thing; once for each cause.

    :raises InsufficientFunds: when credit and wallet together do not hold that much.
    :raises SpendLimitReached: when a limit of the person leaves less.
    :raises HoldReleased: when the hold is over.
    """
    with transaction.atomic():
        hold = _locked(hold_id)
        if hold.released_at is not None and not _filled(cause):
            raise HoldReleased
        _fill(hold, hold.user_id, amount_microusd, cause, note, now)


def capture(
    *,
    hold_id: UUID,
    amount_microusd: MicroUsd,
    host_user_id: int,
    machine_id: UUID,
    fee_microusd: MicroUsd,
    cause: str,
    note: str = "",
    kind: TransferKind = TransferKind.CHARGE,
    now: datetime,
) -> Sequence[Transfer]:
    """Charge ``amount_microusd`` to the hold: the fee goes to the site and the rest to the host.

    ``kind``: of the host's part. ``machine_id``: the one that earned it; NO_MACHINE: none did.
    :raises InsufficientFunds: when less than that is held; nothing is charged then.
    :raises HoldReleased: when the hold is over.
    :raises AmountRefused: when the amount is not positive or the fee is not a part of it.
    """
    if amount_microusd <= 0 or not 0 <= fee_microusd <= amount_microusd:
        raise AmountRefused("A charge is above zero and its fee is a part of it.")
    earned = MicroUsd(amount_microusd - fee_microusd)
    earner = Earner(host_user_id, machine_id)
    with transaction.atomic():
        hold = _locked(hold_id)
        held, host, fees = (
            hold.account,
            open_account.earnings(user_id=host_user_id),
            open_account.fees(),
        )
        parts = [
            Entry(held, host, earned, kind, cause, note, earner),
            Entry(held, fees, fee_microusd, TransferKind.FEE, f"{cause}:fee", note, earner),
        ]
        entries = [part for part in parts if part.amount_microusd]
        if hold.released_at is not None and not _posted(entries[0].cause):
            raise HoldReleased
        return post_together(entries=entries, now=now)


def release(*, hold_id: UUID, cause: str, note: str = "", now: datetime) -> MicroUsd:
    """Give back what is still held, close the hold and return the amount given back.

    Credit that was not spent is credit again; what ended meanwhile goes back to the site instead.
    Releasing again returns the amount of the first time.
    """
    given = give_back(cause_by_hold={hold_id: cause}, note=note, now=now)
    return given[hold_id] if given else _given_back(Hold.objects.get(pk=hold_id))


def release_expired(*, now: datetime) -> int:
    """Give back the holds that nobody released before they ended; return how many there were."""
    ended = Hold.objects.filter(released_at=None, expires_at__lte=now)
    found = list(ended.order_by("expires_at", "id").values_list("id", flat=True)[:EXPIRED_MAX])
    for first in range(0, len(found), EXPIRED_AT_ONCE):
        _release_some(found[first : first + EXPIRED_AT_ONCE], now)
    return len(found)


def _release_some(hold_ids: Sequence[UUID], now: datetime) -> None:
    """Give back these holds that ended, together; a broken one is left out."""
    causes = {hold_id: f"hold:{hold_id}:expired" for hold_id in hold_ids}
    try:
        give_back(cause_by_hold=causes, now=now)
    except OperationalError:
        # It is the database that fails, not a hold: the next pass goes on.
        raise
    except Exception:
        if len(hold_ids) == 1:
            # The others must not wait for who mends this one; the next pass tries it again.
            logger.exception("Hold not released", extra={"hold": hold_ids[0]})
            return
        # One of them is broken: the half without it is given back, and so on down to itself.
        half = len(hold_ids) // 2
        _release_some(hold_ids[:half], now)
        _release_some(hold_ids[half:], now)


def _hold_of_cause(cause: str) -> Hold | None:
    return Hold.objects.select_related("account").filter(cause=cause).first()


def _new_hold(
    user_id: int, cause: str, expires_at: datetime | None, now: datetime, *, takes_credit: bool
) -> Hold:
    account = Account.objects.create(kind=AccountKind.HOLD, user_id=user_id)
    return Hold.objects.create(
        user_id=user_id,
        account=account,
        cause=cause,
        takes_credit=takes_credit,
        expires_at=expires_at,
        created_at=now,
    )


def _fill(
    hold: Hold, user_id: int, amount_microusd: MicroUsd, cause: str, note: str, now: datetime
) -> None:
    """Move the amount into the hold, once; its row is ours: it is new, locked, or filled before."""
    filled = _filled(cause)
    if hold.user_id != user_id or any(one.credit_id != hold.account_id for one in filled):
        raise CauseReused
    if filled:
        if sum(one.amount_microusd for one in filled) != amount_microusd:
            raise CauseReused
        return
    spend_limit.count(hold=hold, amount_microusd=amount_microusd, cause=cause, now=now)
    credit = MicroUsd(0)
    if hold.takes_credit:
        credit = held_credit.take(hold=hold, amount_microusd=amount_microusd, now=now)
    money = MicroUsd(amount_microusd - credit)
    kind, held = TransferKind.HOLD, hold.account
    entries = []
    if credit:
        given = open_account.credit(user_id=user_id)
        entries.append(Entry(given, held, credit, kind, f"{cause}:credit", note))
    if money or not credit:
        wallet = open_account.wallet(user_id=user_id)
        entries.append(Entry(wallet, held, money, kind, cause, note))
    post_together(entries=entries, now=now)


def _filled(cause: str) -> Sequence[Transfer]:
    """Return the transfers of money and credit that this cause set aside before."""
    return list(Transfer.objects.filter(cause__in=(cause, f"{cause}:credit")).order_by("id"))


def _locked(hold_id: UUID) -> Hold:
    """Return the hold with its row locked; every transaction locks holds before accounts."""
    rows = Hold.objects.select_related("account").select_for_update(of=("self",))
    return rows.get(pk=hold_id)


def _posted(cause: str) -> bool:
    return Transfer.objects.filter(cause=cause).exists()


def _given_back(hold: Hold) -> MicroUsd:
    rows = Transfer.objects.filter(debit=hold.account, kind=TransferKind.RELEASE)
    return MicroUsd(sum(row.amount_microusd for row in rows))
