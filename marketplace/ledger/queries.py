"""This will say what is in people's accounts and how it came there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, Sum

from marketplace.domain.ledger import AccountKind, StatementLine, TransferKind, fold
from marketplace.domain.money import MicroUsd
from marketplace.ledger.models import Account, Transfer

#: a renter's own money: what can be spent and what is set aside
FUNDS = (AccountKind.WALLET, AccountKind.HOLD)
EARNINGS = (AccountKind.EARNINGS,)
#: a renter pays the host's part and the site's part as one sum
CHARGED = (TransferKind.CHARGE, TransferKind.FEE)
#: a statement reads at most this many transfers
TRANSFERS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Funds:
    """A renter's money and how it came to be that much."""

    #: can be spent
    balance_microusd: MicroUsd
    #: set aside for rentals: the part that they do not use comes back
    held_microusd: MicroUsd
    #: newest first; the total of the first is what can be spent and what is set aside together
    lines: tuple[StatementLine, ...]


@dataclass(frozen=True, slots=True)
class Purse:
    """Some accounts of one person, read as one."""

    accounts: QuerySet[Account]
    ids: frozenset[UUID]
    sums: Mapping[AccountKind, MicroUsd]
    #: the newest transfer that ``sums`` hold
    newest: int


def balance(user_id: int) -> MicroUsd:
    """Return what the person can spend."""
    return _sum(user_id, (AccountKind.WALLET,))


def held(user_id: int) -> MicroUsd:
    """Return what is set aside for the person's rentals."""
    return _sum(user_id, (AccountKind.HOLD,))


def earned(user_id: int) -> MicroUsd:
    """Return what the person's machines have earned and was not paid out yet."""
    return _sum(user_id, EARNINGS)


def left_in_hold(hold_id: UUID) -> MicroUsd:
    """Return what is still set aside in one hold."""
    return Account.objects.get(hold=hold_id).balance_microusd


def statement(
    user_id: int, limit: int = 100, *, kinds: Sequence[AccountKind] = FUNDS
) -> Sequence[StatementLine]:
    """Return up to ``limit`` lines about the person's accounts of these kinds, newest first.

    The accounts are read as one purse: setting money aside and giving it back move nothing in it
    and make no line. Charges to one hold in a row make one line.
    """
    return _folded(_purse(user_id, kinds), limit)


def funds(user_id: int, limit: int = 100) -> Funds:
    """Return a renter's funds with up to ``limit`` lines, as they all were at one moment."""
    purse = _purse(user_id, FUNDS)
    return Funds(
        balance_microusd=purse.sums[AccountKind.WALLET],
        held_microusd=purse.sums[AccountKind.HOLD],
        lines=_folded(purse, limit),
    )


def _sum(user_id: int, kinds: Sequence[AccountKind]) -> MicroUsd:
    total = Account.objects.filter(user_id=user_id, kind__in=kinds).aggregate(
        total=Sum(F("credits_posted") - F("debits_posted"), output_field=BigIntegerField())
    )["total"]
    return MicroUsd(total or 0)


def _folded(purse: Purse, limit: int) -> tuple[StatementLine, ...]:
    return tuple(islice(fold(_lines(purse)), limit))


def _lines(purse: Purse) -> Iterator[StatementLine]:
    mine = purse.accounts.order_by().values("pk")
    rows = (
        Transfer.objects.filter(Q(debit__in=mine) | Q(credit__in=mine), id__lte=purse.newest)
        .exclude(debit__in=mine, credit__in=mine)
        .order_by("-id")
    )
    total: int = sum(purse.sums.values())
    for row in rows[:TRANSFERS_MAX].iterator(chunk_size=500):
        amount = row.amount_microusd if row.credit_id in purse.ids else -row.amount_microusd
        charged = row.kind in CHARGED
        yield StatementLine(
            at=row.at,
            kind=TransferKind.CHARGE if charged else TransferKind(row.kind),
            amount_microusd=MicroUsd(amount),
            note=row.note,
            subject=row.debit_id.hex if charged else row.cause,
            total_microusd=MicroUsd(total),
        )
        total -= amount


def _purse(user_id: int, kinds: Sequence[AccountKind]) -> Purse:
    """Read the purse in one SQL statement.

    Between two of them another process could post, and every line would show a wrong total.
    """
    accounts = Account.objects.filter(user_id=user_id, kind__in=kinds)
    ids: set[UUID] = set()
    sums = dict.fromkeys(kinds, MicroUsd(0))
    newest = 0
    for account in accounts.annotate(
        newest_debit=Subquery(_newest("debit")), newest_credit=Subquery(_newest("credit"))
    ):
        ids.add(account.pk)
        kind = AccountKind(account.kind)
        sums[kind] = MicroUsd(sums[kind] + account.balance_microusd)
        newest = max(newest, account.newest_debit or 0, account.newest_credit or 0)
    return Purse(accounts=accounts, ids=frozenset(ids), sums=sums, newest=newest)


def _newest(side: str) -> QuerySet[Transfer, int]:
    rows = Transfer.objects.filter(**{side: OuterRef("pk")})
    return rows.order_by("-id").values_list("id", flat=True)[:1]
