"""This will set renters' money aside, charge it and give the rest back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import (
    AmountRefused,
    CauseReused,
    Entry,
    InsufficientFunds,
    post,
    post_together,
)
from marketplace.ledger.models import Account, Hold, Transfer

__all__ = [
    "Charge",
    "HoldReleased",
    "InsufficientFunds",
    "capture",
    "capture_all",
    "increase",
    "place",
    "release",
]


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be taken from a hold."""

    hold_id: UUID
    amount_microusd: MicroUsd
    host_user_id: int
    #: the site's part of the amount
    fee_microusd: MicroUsd
    #: unique for ever; charging it again changes nothing
    cause: str
    note: str = ""


class HoldReleased(Refused):
    code = "hold_released"
    status = 409
    sentence = "The money set aside for this was given back already."


def place(
    *, user_id: int, amount_microusd: MicroUsd, cause: str, note: str = "", now: datetime
) -> Hold:
    """Set money aside from the person's wallet; the same cause returns the same hold.

    :raises InsufficientFunds: when the wallet does not hold that much.
    :raises CauseReused: when the cause stands for another hold already.
    """
    wallet = open_account.wallet(user_id=user_id)
    try:
        with transaction.atomic():
            hold = _hold_of_cause(cause) or _new_hold(user_id, cause, now)
            _fill(hold, wallet, amount_microusd, cause, note, now)
    except IntegrityError:
        # Another process placed the hold of this cause while we were at it.
        placed = _hold_of_cause(cause)
        if placed is None:
            raise
        hold = placed
        _fill(hold, wallet, amount_microusd, cause, note, now)
    return hold


def increase(
    *, hold_id: UUID, amount_microusd: MicroUsd, cause: str, note: str = "", now: datetime
) -> Transfer:
    """Set more money aside for the same thing.

    :raises InsufficientFunds: when the wallet does not hold that much.
    :raises HoldReleased: when the hold is over.
    """
    with transaction.atomic():
        hold = _locked(hold_id)
        if hold.released_at is not None and not _posted(cause):
            raise HoldReleased
        wallet = open_account.wallet(user_id=hold.user_id)
        return _fill(hold, wallet, amount_microusd, cause, note, now)


def capture(
    *,
    hold_id: UUID,
    amount_microusd: MicroUsd,
    host_user_id: int,
    fee_microusd: MicroUsd,
    cause: str,
    note: str = "",
    now: datetime,
) -> Sequence[Transfer]:
    """Charge ``amount_microusd`` to the hold: the fee goes to the site and the rest to the host.

    :raises InsufficientFunds: when less than that is held; nothing is charged then.
    :raises HoldReleased: when the hold is over.
    :raises AmountRefused: when the amount is not positive or the fee is not a part of it.
    """
    one = Charge(hold_id, amount_microusd, host_user_id, fee_microusd, cause, note)
    return capture_all(charges=[one], now=now)


def capture_all(*, charges: Sequence[Charge], now: datetime) -> Sequence[Transfer]:
    """Charge many holds, each at most once, all or none of them.

    :raises InsufficientFunds: when one holds less than its charge.
    :raises HoldReleased: when one is over.
    :raises AmountRefused: when an amount is not positive or its fee is not a part of it.
    """
    for each in charges:
        if each.amount_microusd <= 0 or not 0 <= each.fee_microusd <= each.amount_microusd:
            raise AmountRefused("A charge is above zero and its fee is a part of it.")
    with transaction.atomic():
        holds = _locked_all([each.hold_id for each in charges])
        earnings = {
            host: open_account.earnings(user_id=host)
            for host in sorted({each.host_user_id for each in charges})
        }
        fees = open_account.fees()
        entries: list[Entry] = []
        for each in charges:
            hold = holds[each.hold_id]
            parts = _parts(each, hold.account, earnings[each.host_user_id], fees)
            if hold.released_at is not None and not _posted(parts[0].cause):
                raise HoldReleased
            entries += parts
        return post_together(entries=entries, now=now)


def release(*, hold_id: UUID, cause: str, note: str = "", now: datetime) -> MicroUsd:
    """Give back what is still held, close the hold and return the amount given back.

    Releasing again returns the amount of the first time.
    """
    with transaction.atomic():
        hold = _locked(hold_id)
        if hold.released_at is not None:
            return _given_back(hold)
        # The hold's row is locked, so no charge can slip between this look and the transfer.
        amount = Account.objects.get(pk=hold.account_id).balance_microusd
        if amount > 0:
            post(
                debit=hold.account,
                credit=open_account.wallet(user_id=hold.user_id),
                amount_microusd=amount,
                kind=TransferKind.RELEASE,
                cause=cause,
                note=note,
                now=now,
            )
        hold.released_at = now
        hold.save(update_fields=["released_at"])
        return amount


def _hold_of_cause(cause: str) -> Hold | None:
    return Hold.objects.select_related("account").filter(cause=cause).first()


def _new_hold(user_id: int, cause: str, now: datetime) -> Hold:
    account = Account.objects.create(kind=AccountKind.HOLD, user_id=user_id)
    return Hold.objects.create(user_id=user_id, account=account, cause=cause, created_at=now)


def _fill(
    hold: Hold, wallet: Account, amount_microusd: MicroUsd, cause: str, note: str, now: datetime
) -> Transfer:
    if hold.user_id != wallet.user_id:
        raise CauseReused
    return post(
        debit=wallet,
        credit=hold.account,
        amount_microusd=amount_microusd,
        kind=TransferKind.HOLD,
        cause=cause,
        note=note,
        now=now,
    )


def _locked(hold_id: UUID) -> Hold:
    """Return the hold with its row locked; every transaction locks holds before accounts."""
    rows = Hold.objects.select_related("account").select_for_update(of=("self",))
    return rows.get(pk=hold_id)


def _posted(cause: str) -> bool:
    return Transfer.objects.filter(cause=cause).exists()


def _locked_all(hold_ids: Sequence[UUID]) -> dict[UUID, Hold]:
    """Return the holds with their rows locked, in one order for everybody."""
    rows = Hold.objects.select_related("account").select_for_update(of=("self",))
    return {hold.pk: hold for hold in rows.filter(pk__in=hold_ids).order_by("pk")}


def _parts(charge: Charge, held: Account, host: Account, fees: Account) -> Sequence[Entry]:
    cause, note = charge.cause, charge.note
    earned = MicroUsd(charge.amount_microusd - charge.fee_microusd)
    entries = []
    if earned:
        entries.append(Entry(held, host, earned, TransferKind.CHARGE, cause, note))
    if charge.fee_microusd:
        fee = Entry(held, fees, charge.fee_microusd, TransferKind.FEE, f"{cause}:fee", note)
        entries.append(fee)
    return entries


def _given_back(hold: Hold) -> MicroUsd:
    last = Transfer.objects.filter(debit=hold.account, kind=TransferKind.RELEASE).first()
    return MicroUsd(last.amount_microusd if last else 0)
