"""This will move money: add transfers and count them in their accounts, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from marketplace.domain import ledger
from marketplace.domain.ledger import NEVER_NEGATIVE, AccountKind, Change, Movement, TransferKind
from marketplace.domain.money import AMOUNT_MICROUSD_MAX, MicroUsd, format_usd
from marketplace.domain.problem import Refused
from marketplace.ledger.models import Account, Transfer


class InsufficientFunds(Refused):
    code = "insufficient_funds"
    status = 402
    sentence = "There is not enough money for this; add some and try again."


class CauseReused(Refused):
    code = "idempotency_conflict"
    status = 409
    sentence = "This was asked before with other content; use a new idempotency key."


class AmountRefused(Refused):
    code = "invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class Entry:
    """A transfer to be posted."""

    debit: Account
    credit: Account
    amount_microusd: MicroUsd
    kind: TransferKind
    #: unique for ever; posting it again changes nothing
    cause: str
    note: str = ""


def post(
    *,
    debit: Account,
    credit: Account,
    amount_microusd: MicroUsd,
    kind: TransferKind,
    cause: str,
    note: str = "",
    now: datetime,
) -> Transfer:
    """Move money from ``debit`` to ``credit`` once, however often it is called with this cause.

    :raises InsufficientFunds: when the debit account does not hold that much.
    :raises CauseReused: when the cause stands for another movement already.
    :raises AmountRefused: when the amount is not positive, or both accounts are the same.
    """
    entry = Entry(debit, credit, amount_microusd, kind, cause, note)
    return post_together(entries=[entry], now=now)[0]


def post_together(*, entries: Sequence[Entry], now: datetime) -> Sequence[Transfer]:
    """Post all entries or none and return their transfers in the order given.

    Entries that were posted before are left as they are. One call may hold many entries: each
    account is written once, in the one locking order, whatever the order of the entries.

    :raises InsufficientFunds: when an account would owe money after *all* entries.
    :raises CauseReused: when a cause stands for another movement already.
    :raises AmountRefused: when an amount is not positive, or both accounts are the same.
    """
    _check(entries)
    known = _known(entries)
    missing = [entry for entry in entries if entry.cause not in known]
    if missing:
        try:
            with transaction.atomic():
                _count(missing)
                Transfer.objects.bulk_create([_transfer(entry, now) for entry in missing])
        except (IntegrityError, InsufficientFunds):
            # The same causes may have been posted by another process between our look and our
            # locks. Then they are there now, and both callers must hear the same answer.
            # tests/marketplace/ledger/test_concurrency.py holds this.
            if set(_known(missing)) != {entry.cause for entry in missing}:
                raise
        known = _known(entries)
    return [known[entry.cause] for entry in entries]


def _check(entries: Sequence[Entry]) -> None:
    for entry in entries:
        if not 0 < entry.amount_microusd <= AMOUNT_MICROUSD_MAX:
            amount = format_usd(entry.amount_microusd)
            raise AmountRefused(f"An amount of {amount} cannot be moved; it must be above zero.")
        if entry.debit.pk == entry.credit.pk:
            raise AmountRefused("Money can move only between two different accounts.")
    if len({entry.cause for entry in entries}) != len(entries):
        raise CauseReused


def _known(entries: Sequence[Entry]) -> Mapping[str, Transfer]:
    """Return the transfers that exist, by cause, or refuse when one differs from its entry."""
    found = {
        transfer.cause: transfer
        for transfer in Transfer.objects.filter(cause__in=[entry.cause for entry in entries])
    }
    for entry in entries:
        transfer = found.get(entry.cause)
        if transfer is not None and _content(transfer) != _content(entry):
            raise CauseReused
    return found


def _content(row: Transfer | Entry) -> tuple[UUID, UUID, int, str]:
    if isinstance(row, Transfer):
        return row.debit_id, row.credit_id, row.amount_microusd, row.kind
    return row.debit.pk, row.credit.pk, row.amount_microusd, row.kind


def _count(entries: Sequence[Entry]) -> None:
    accounts = {entry.debit for entry in entries} | {entry.credit for entry in entries}
    kinds = {account.pk.hex: AccountKind(account.kind) for account in accounts}
    added = ledger.changes(
        Movement(entry.debit.pk.hex, entry.credit.pk.hex, entry.amount_microusd)
        for entry in entries
    )
    for account in ledger.locking_order(kinds):
        _add(UUID(account), kinds[account], added[account])


def _add(account_id: UUID, kind: AccountKind, change: Change) -> None:
    """Raise the counters in one guarded UPDATE: the check and the write cannot be parted."""
    rows = Account.objects.filter(pk=account_id, kind=kind)
    if kind in NEVER_NEGATIVE and change.debits > change.credits:
        needed = F("debits_posted") + change.debits - change.credits
        rows = rows.filter(credits_posted__gte=needed)
    changed = rows.update(
        debits_posted=F("debits_posted") + change.debits,
        credits_posted=F("credits_posted") + change.credits,
    )
    if not changed:
        raise InsufficientFunds


def _transfer(entry: Entry, now: datetime) -> Transfer:
    return Transfer(
        debit=entry.debit,
        credit=entry.credit,
        amount_microusd=entry.amount_microusd,
        kind=entry.kind,
        cause=entry.cause,
        note=entry.note,
        at=now,
    )
