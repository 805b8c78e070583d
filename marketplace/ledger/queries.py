"""This will say what is in people's accounts and how it came there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypedDict
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    When,
)

from marketplace import plain_sql
from marketplace.domain.ledger import AccountKind, StatementLine, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.models import Account, CreditGrant, Transfer
from marketplace.ledger.returns import whole_cause

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Row(TypedDict):
        """One hold's charges, what came back together, or one other transfer."""

        hold: UUID | None
        #: the transfer's cause; None: they are a hold's charges
        alone: str | None
        amount: int
        since: datetime
        newest_at: datetime
        number: int
        transfers: int
        a_note: str
        least_note: str | None
        most_note: str | None
        a_kind: str


#: what a renter can spend: money, and credit that was not paid for
SPENDABLE = (AccountKind.WALLET, AccountKind.CREDIT)
#: and what is set aside of it
FUNDS = (*SPENDABLE, AccountKind.HOLD)
EARNINGS = (AccountKind.EARNINGS,)
#: a renter pays the host's part and the site's part as one sum, of all that a rental costs
CHARGED = (
    *(TransferKind.CHARGE, TransferKind.FEE),
    *(TransferKind.STORAGE, TransferKind.NETWORK),
)


@dataclass(frozen=True, slots=True)
class Funds:
    """A renter's money and how it came to be that much."""

    #: can be spent, credit too
    balance_microusd: MicroUsd
    #: set aside for rentals: the part that they do not use comes back
    held_microusd: MicroUsd
    #: newest first; the total of the first is what can be spent and what is set aside together
    lines: tuple[StatementLine, ...]
    #: the page of older lines is the one before this number; None: there is none
    older: int | None = None


class Lines(NamedTuple):
    """One page of a statement."""

    lines: tuple[StatementLine, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class Purse:
    """Some accounts of one person, read as one."""

    accounts: QuerySet[Account]
    ids: frozenset[UUID]
    sums: Mapping[AccountKind, MicroUsd]
    #: the newest transfer that ``sums`` hold
    newest: int


@dataclass(frozen=True, slots=True)
class Credit:
    """What is left of credit that a person was given."""

    left_microusd: MicroUsd
    expires_at: datetime
    note: str


def balance(user_id: int) -> MicroUsd:
    """Return what the person can spend: money, and credit (``credit``)."""
    return _sum(user_id, SPENDABLE)


def money(user_id: int) -> MicroUsd:
    """Return what the person can spend that came from a payment or an earning, and is no credit."""
    return _sum(user_id, (AccountKind.WALLET,))


def credit(user_id: int, *, now: datetime) -> tuple[Credit, ...]:
    """Return the person's credit that is neither held nor ended, as it ends, soonest first."""
    grants = CreditGrant.objects.filter(user_id=user_id, left_microusd__gt=0, expires_at__gt=now)
    return tuple(
        Credit(MicroUsd(grant.left_microusd), grant.expires_at, grant.note)
        for grant in grants.order_by("expires_at", "id")
    )


def held(user_id: int) -> MicroUsd:
    """Return what is set aside for the person's rentals."""
    return _sum(user_id, (AccountKind.HOLD,))


def frozen(user_id: int) -> MicroUsd:
    """Return what is set aside while payments of the person's are disputed."""
    return _sum(user_id, (AccountKind.FROZEN,))


def earned(user_id: int) -> MicroUsd:
    """Return what the person's machines have earned and was not paid out yet."""
    return _sum(user_id, EARNINGS)


def statement(
    user_id: int, limit: int = 100, *, kinds: Sequence[AccountKind] = FUNDS
) -> Sequence[StatementLine]:
    """Return up to ``limit`` lines about the person's accounts of these kinds, newest first.

    The accounts are read as one purse: setting money aside and giving it back move nothing in it
    and make no line. All charges of one rental make one line, at the newest of them, and so does
    what came back together.
    """
    return _lines(_purse(user_id, kinds), limit).lines


def funds(user_id: int, limit: int = 100, *, before: int | None = None) -> Funds:
    """Return a renter's funds with up to ``limit`` lines, as they all were at one moment.

    ``before``: what ``Funds.older`` said on the page before this one. None: begin at the newest.
    """
    purse = _purse(user_id, FUNDS)
    lines, older = _lines(purse, limit, before)
    return Funds(
        balance_microusd=MicroUsd(sum(purse.sums[kind] for kind in SPENDABLE)),
        held_microusd=purse.sums[AccountKind.HOLD],
        lines=lines,
        older=older,
    )


def _sum(user_id: int, kinds: Sequence[AccountKind]) -> MicroUsd:
    # As it is written: each page asks, and for Django to write it takes longer than to answer it.
    told = {f"kind_{number}": kind.value for number, kind in enumerate(kinds)}
    names = ", ".join(f"%({name})s" for name in told)
    ((total,),) = plain_sql.fetch(
        "SELECT COALESCE(SUM(credits_posted - debits_posted), 0) FROM ledger_account"  # noqa: S608
        f" WHERE user_id = %(user_id)s AND kind IN ({names})",
        user_id=user_id,
        **told,
    )
    return MicroUsd(int(total))


def _lines(purse: Purse, limit: int, before: int | None = None) -> Lines:
    """Return one page of the purse's lines, newest first, summed by the database."""
    everything = _grouped(purse)
    total: int = sum(purse.sums.values())
    page = everything
    if before is not None:
        newer = everything.filter(number__gte=before).aggregate(sum=Sum("amount"))["sum"]
        total -= newer or 0
        page = everything.filter(number__lt=before)
    rows = list(page.order_by("-number")[: limit + 1])
    lines = []
    for row in rows[:limit]:
        lines.append(_line(row, MicroUsd(total)))
        total -= row["amount"]
    return Lines(tuple(lines), older=lines[-1].number if len(rows) > limit else None)


def _grouped(purse: Purse) -> "QuerySet[WithAnnotations[Transfer, Row], Row]":
    """Return all charges of one hold as one row, a return as one, each other transfer alone."""
    mine = purse.accounts.order_by().values("pk")
    charged = Q(kind__in=CHARGED)
    signed = Case(When(credit__in=mine, then=F("amount_microusd")), default=-F("amount_microusd"))
    rows = Transfer.objects.filter(
        Q(debit__in=mine) | Q(credit__in=mine), id__lte=purse.newest
    ).exclude(debit__in=mine, credit__in=mine)
    return (
        rows.order_by()
        .annotate(
            hold=Case(When(charged, then=F("debit"))),
            alone=Case(When(~charged, then=whole_cause())),
        )
        .values("hold", "alone")
        .annotate(
            amount=Sum(signed),
            since=Min("at"),
            newest_at=Max("at"),
            number=Max("id"),
            transfers=Count("id"),
            a_note=Max("note"),
            least_note=Min("note", filter=Q(kind=TransferKind.CHARGE)),
            most_note=Max("note", filter=Q(kind=TransferKind.CHARGE)),
            a_kind=Max("kind"),
        )
    )


def _line(row: "Row", total: MicroUsd) -> StatementLine:
    alone = row["alone"] is not None
    return StatementLine(
        since=row["since"],
        at=row["newest_at"],
        kind=TransferKind(row["a_kind"]) if alone else TransferKind.CHARGE,
        amount_microusd=MicroUsd(row["amount"]),
        note=_note(row),
        total_microusd=total,
        transfers=1 if alone else row["transfers"],
        number=row["number"],
        hold_account_id=row["hold"],
    )


def _note(row: "Row") -> str:
    """Return one text for all charges of a hold: no single price where there were several."""
    least, most = row["least_note"], row["most_note"]
    if least is None or most is None:
        return row["a_note"]
    if least == most:
        return least
    image = least.rpartition(" at ")[0]
    same = bool(image) and most.startswith(f"{image} at ")
    return f"{image} at several prices" if same else "Several images"


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
