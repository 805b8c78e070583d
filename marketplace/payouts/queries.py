"""This will read what hosts earned, by day and machine, and what of it may be paid out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.payout import RESERVE_LASTS, Earnings, Terms
from marketplace.ledger import queries as ledger
from marketplace.ledger.models import Transfer
from marketplace.payouts.models import HostDetails, Payout, PayoutAccount

PAYOUTS_MAX = 100
MONTH = re.compile("2[0-9]{3}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class EarnedDay:
    """What one machine earned its host on one day (UTC)."""

    day: date
    #: None: it came from no machine, such as an operator's credit
    machine_id: UUID | None
    #: after the fee
    microusd: MicroUsd
    fee_microusd: MicroUsd


@dataclass(frozen=True, slots=True)
class Movements:
    """What went in and out of a host's earnings within some time."""

    #: after the fee
    earned_microusd: MicroUsd
    #: the site's part of what renters paid
    fee_microusd: MicroUsd
    given_back_microusd: MicroUsd
    #: less what came back of payouts that failed
    paid_out_microusd: MicroUsd


def earnings(host_id: int, *, as_of: datetime, terms: Terms) -> Earnings:
    """Return the host's balance and what of it is young or recent at the moment ``as_of``.

    Whatever came in since then is young too, so looking back never shows more than now.
    """
    # The balance is read first: a charge posted between the two reads then counts as young and is
    # not in the balance, which errs on the side of paying later.
    balance = ledger.earned(host_id)
    young_from, recent_from = as_of - terms.hold, as_of - RESERVE_LASTS
    sums = _earned(host_id, since=min(young_from, recent_from)).aggregate(
        young=Sum("amount_microusd", filter=Q(at__gte=young_from)),
        recent=Sum("amount_microusd", filter=Q(at__gte=recent_from, at__lt=young_from)),
    )
    return Earnings(
        balance_microusd=balance,
        young_microusd=MicroUsd(sums["young"] or 0),
        recent_microusd=MicroUsd(sums["recent"] or 0),
    )


def earned_days(
    host_id: int, *, since: datetime, until: datetime | None = None
) -> Sequence[EarnedDay]:
    """Return what each machine earned on each day in [since, until), oldest day first."""
    fees = Transfer.objects.filter(
        kind=TransferKind.FEE, debit__hold__meter__host_id=host_id, at__gte=since
    )
    kept = _by_day(fees, until)
    earned = _by_day(_earned(host_id, since=since), until)
    return tuple(
        EarnedDay(day, machine_id, earned.get(key, MicroUsd(0)), kept.get(key, MicroUsd(0)))
        for key in sorted(earned | kept, key=lambda key: (key[0], str(key[1])))
        for day, machine_id in [key]
    )


def _by_day(
    rows: QuerySet[Transfer], until: datetime | None
) -> dict[tuple[date, UUID | None], MicroUsd]:
    """Return the sums by day and by the machine whose renter paid."""
    if until is not None:
        rows = rows.filter(at__lt=until)
    sums = (
        rows.order_by()
        .annotate(day=TruncDate("at"), machine_id=F("debit__hold__meter__placement__machine_id"))
        .values("day", "machine_id")
        .annotate(sum=Sum("amount_microusd"))
        .order_by("day", "machine_id")
    )
    return {(row["day"], row["machine_id"]): MicroUsd(row["sum"]) for row in sums}


def movements(host_id: int, since: datetime, until: datetime) -> Movements:
    """Return what moved in [since, until)."""
    mine = {"user_id": host_id, "kind": AccountKind.EARNINGS}
    within = Transfer.objects.filter(at__gte=since, at__lt=until).order_by()
    came = Q(**{f"credit__{name}": value for name, value in mine.items()})
    went = Q(**{f"debit__{name}": value for name, value in mine.items()})
    payout = Q(kind=TransferKind.PAYOUT)
    sums = within.filter(came | went).aggregate(
        earned=Sum("amount_microusd", filter=came & ~payout),
        returned=Sum("amount_microusd", filter=came & payout),
        given_back=Sum("amount_microusd", filter=went & ~payout),
        paid_out=Sum("amount_microusd", filter=went & payout),
    )
    fees = within.filter(kind=TransferKind.FEE, debit__hold__meter__host_id=host_id).aggregate(
        sum=Sum("amount_microusd")
    )
    return Movements(
        earned_microusd=MicroUsd(sums["earned"] or 0),
        fee_microusd=MicroUsd(fees["sum"] or 0),
        given_back_microusd=MicroUsd(sums["given_back"] or 0),
        paid_out_microusd=MicroUsd((sums["paid_out"] or 0) - (sums["returned"] or 0)),
    )


def balance_at(host_id: int, at: datetime) -> MicroUsd:
    """Return what was in the host's earnings before this moment."""
    mine = {"user_id": host_id, "kind": AccountKind.EARNINGS}
    came = Q(**{f"credit__{name}": value for name, value in mine.items()})
    went = Q(**{f"debit__{name}": value for name, value in mine.items()})
    sums = Transfer.objects.filter(came | went, at__lt=at).aggregate(
        came=Sum("amount_microusd", filter=came), went=Sum("amount_microusd", filter=went)
    )
    return MicroUsd((sums["came"] or 0) - (sums["went"] or 0))


def first_earned_at(host_id: int) -> datetime | None:
    """Return when the host's earnings first moved; None: never."""
    rows = Transfer.objects.filter(
        credit__user_id=host_id, credit__kind=AccountKind.EARNINGS
    ).order_by("id")
    return rows.values_list("at", flat=True).first()


def details(host_id: int) -> HostDetails | None:
    """Return how the host is paid and who they are; None: they never said."""
    return HostDetails.objects.filter(host_id=host_id).first()


def open_account(host_id: int) -> PayoutAccount | None:
    """Return the host's account at the processor; None: there is none."""
    return PayoutAccount.objects.filter(host_id=host_id, closed_at=None).first()


def payouts(host_id: int, limit: int = PAYOUTS_MAX) -> Sequence[Payout]:
    """Return the host's payouts, newest first."""
    rows = Payout.objects.filter(host_id=host_id).order_by("-created_at", "id")
    return tuple(rows[:limit])


def month(text: str) -> tuple[datetime, datetime] | None:
    """Return the first moment of the month ``2026-11`` and of the next; None: it is no month."""
    if MONTH.fullmatch(text) is None:
        return None
    first = datetime.fromisoformat(f"{text}-01T00:00:00+00:00")
    return first, (first + timedelta(days=32)).replace(day=1)


def _earned(host_id: int, *, since: datetime) -> QuerySet[Transfer]:
    """Return what came into the host's earnings; what came back of a payout is no earning."""
    rows = Transfer.objects.filter(
        credit__user_id=host_id, credit__kind=AccountKind.EARNINGS, at__gte=since
    )
    return rows.exclude(kind=TransferKind.PAYOUT)
