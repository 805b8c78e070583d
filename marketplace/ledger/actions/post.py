"""This will move money: add transfers and count them in their accounts, all or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import AMOUNT_MICROUSD_MAX, MicroUsd, format_usd
from marketplace.domain.problem import Refused
from marketplace.ledger import post_sql
from marketplace.ledger.actions.count_earned import Earner, Part, count_earned
from marketplace.ledger.models import Account, Transfer

#: of a transfer, in the order in which it is read
COLUMNS = [field.attname for field in Transfer._meta.concrete_fields]


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
    #: of a charge and of its fee; None: whoever has the earnings, of no machine
    earner: Earner | None = None

    @property
    def earned(self) -> Part | None:
        """Return what it adds to what somebody earned today; None: nothing."""
        nothing = MicroUsd(0)
        if self.kind == TransferKind.FEE and self.earner is not None:
            return Part(self.earner, nothing, self.amount_microusd)
        # What comes back of a payout was earned before.
        if self.credit.kind != AccountKind.EARNINGS or self.kind == TransferKind.PAYOUT:
            return None
        if self.credit.user_id is None:
            return None
        return Part(self.earner or Earner(self.credit.user_id), self.amount_microusd, nothing)


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

    Entries that were posted before are left as they are. One call may hold many entries: it costs
    one statement, and each account is locked and written once, in the one locking order.

    :raises InsufficientFunds: when an account would owe money after *all* entries.
    :raises CauseReused: when a cause stands for another movement already.
    :raises AmountRefused: when an amount is not positive, or both accounts are the same.
    """
    _check(entries)
    known: dict[str, Transfer] = {}
    # A single entry is posted or not by its statement alone, if nobody earns by it.
    alone = len(entries) == 1 and entries[0].earned is None
    with nullcontext() if alone else transaction.atomic():
        while missing := [entry for entry in entries if entry.cause not in known]:
            posted = _write(missing, now)
            parts = (entry.earned for entry in missing if entry.cause in posted)
            count_earned(parts=filter(None, parts), now=now)
            known |= posted
            if len(posted) == len(missing):
                break
            # Some were posted before, or by another process while we waited for our locks. Then
            # both callers hear the same answer: test_concurrency.py of the ledger holds this.
            found = _known(entry for entry in missing if entry.cause not in posted)
            if not posted and not found:
                raise InsufficientFunds
            known |= found
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


def _known(entries: Iterable[Entry]) -> Mapping[str, Transfer]:
    """Return the transfers that exist, by cause, or refuse when one differs from its entry."""
    by_cause = {entry.cause: entry for entry in entries}
    found = {row.cause: row for row in Transfer.objects.filter(cause__in=by_cause)}
    if any(_content(row) != _content(by_cause[cause]) for cause, row in found.items()):
        raise CauseReused
    return found


def _content(row: Transfer | Entry) -> tuple[UUID, UUID, int, str]:
    if isinstance(row, Transfer):
        return row.debit_id, row.credit_id, row.amount_microusd, row.kind
    return row.debit.pk, row.credit.pk, row.amount_microusd, row.kind


def _write(entries: Sequence[Entry], now: datetime) -> Mapping[str, Transfer]:
    """Add the transfers and count them, and return by cause those that were added.

    None are when an account would owe money or a cause is known; some, when another process added
    the others at this moment.
    """
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(entries))
    told = [value for number, entry in enumerate(entries) for value in _told(number, entry)]
    at = Transfer._meta.get_field("at").get_db_prep_value(now, connection)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(post_sql.POSTGRESQL.format(rows=rows), [*told, at])
            added = cursor.fetchall()
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(post_sql.SQLITE_INSERT.format(rows=rows), [*told, at])
            added = cursor.fetchall()
            if added:
                cursor.execute(post_sql.SQLITE_UPDATE.format(rows=rows), told)
    by_cause = {entry.cause: entry for entry in entries}
    return {cause: _transfer(number, by_cause[cause], now) for number, cause in added}


def _told(number: int, entry: Entry) -> Sequence[Any]:
    accounts = [
        Account._meta.pk.get_db_prep_value(account.pk, connection)
        for account in (entry.debit, entry.credit)
    ]
    return [number, *accounts, entry.amount_microusd, str(entry.kind), entry.cause, entry.note]


def _transfer(number: int, entry: Entry, now: datetime) -> Transfer:
    values = (*_content(entry), entry.cause, entry.note, now)
    return Transfer.from_db(connection.alias, COLUMNS, [number, *values])
