"""This will read what hosts earned, by day and machine, and what of it may be paid out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.payout import RESERVE_LASTS, Earnings, PayoutState, Terms
from marketplace.keyset import RowPage, newest_first
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.models import EarnedDay, Transfer
from marketplace.payouts.models import HostDetails, Payout, PayoutAccount

PAYOUTS_MAX = 100
MONTH = re.compile("2[0-9]{3}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class MachineDay:
    """What one machine earned its host on one day (UTC)."""

    day: date
    #: None: it came from no machine, such as an operator's credit
    machine_id: UUID | None
    #: after the fee
    microusd: MicroUsd
    fee_microusd: MicroUsd


@dataclass(frozen=True, slots=True)
class MachineSums:
    """What one machine earned its host lately, after the fee."""

    #: None: it came from no machine
    machine_id: UUID | None
    today_microusd: MicroUsd
    week_microusd: MicroUsd
    month_microusd: MicroUsd


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

    Payouts are decided on as a day of UTC begins: within a day it is as of the next one's
    beginning. Whatever came in since then is young too, so looking back never shows more than now.
    """
    # The balance is read first: a charge posted between the two reads then counts as young and is
    # not in the balance, which errs on the side of paying later.
    balance = ledger.earned(host_id)
    young_from, recent_from = _next_day(as_of - terms.hold), _next_day(as_of - RESERVE_LASTS)
    days = EarnedDay.objects.filter(host_id=host_id, day__gte=min(young_from, recent_from))
    sums = days.aggregate(
        young=Sum("earned_microusd", filter=Q(day__gte=young_from)),
        recent=Sum("earned_microusd", filter=Q(day__gte=recent_from, day__lt=young_from)),
    )
    return Earnings(
        balance_microusd=balance,
        young_microusd=MicroUsd(sums["young"] or 0),
        recent_microusd=MicroUsd(sums["recent"] or 0),
    )


def earned_days(host_id: int, *, since: datetime, until: datetime) -> Sequence[MachineDay]:
    """Return what each machine earned on each day in [since, until), oldest day first."""
    rows = _within(host_id, since, until).order_by("day", "machine_id")
    return tuple(
        MachineDay(
            day=row.day,
            machine_id=_machine(row.machine_id),
            microusd=MicroUsd(row.earned_microusd),
            fee_microusd=MicroUsd(row.fee_microusd),
        )
        for row in rows
    )


def earned_by_day(host_id: int, *, since: date) -> dict[date, MicroUsd]:
    """Return what the host earned on each day from this one on on which anything was."""
    rows = EarnedDay.objects.filter(host_id=host_id, day__gte=since).values("day")
    sums = rows.annotate(sum=Sum("earned_microusd")).order_by("day")
    return {row["day"]: MicroUsd(row["sum"]) for row in sums}


def earned_by_machine(
    host_id: int, *, month: date, week: date, today: date, most: int
) -> Sequence[MachineSums]:
    """Return what each machine earned since the first day of the month, most first.

    ``most``: no more machines than this.
    """
    rows = EarnedDay.objects.filter(host_id=host_id, day__gte=month).values("machine_id")
    found = rows.annotate(
        of_month=Sum("earned_microusd"),
        of_week=Sum("earned_microusd", filter=Q(day__gte=week), default=0),
        of_today=Sum("earned_microusd", filter=Q(day__gte=today), default=0),
    )
    return tuple(
        MachineSums(
            machine_id=_machine(row["machine_id"]),
            today_microusd=MicroUsd(row["of_today"]),
            week_microusd=MicroUsd(row["of_week"]),
            month_microusd=MicroUsd(row["of_month"]),
        )
        for row in found.order_by("-of_month", "machine_id")[:most]
    )


def _within(host_id: int, since: datetime, until: datetime) -> QuerySet[EarnedDay]:
    """Return the days in [since, until), both the beginning of a day of UTC."""
    return EarnedDay.objects.filter(host_id=host_id, day__gte=_day(since), day__lt=_day(until))


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _next_day(at: datetime) -> date:
    """Return the day that begins then or next."""
    return _day(at + timedelta(days=1, microseconds=-1))


def _machine(machine_id: UUID) -> UUID | None:
    return None if machine_id == NO_MACHINE else machine_id


def movements(host_id: int, since: datetime, until: datetime) -> Movements:
    """Return what moved in [since, until), both the beginning of a day of UTC."""
    earned = _within(host_id, since, until).aggregate(
        net=Sum("earned_microusd", default=0), fee=Sum("fee_microusd", default=0)
    )
    went = _went(host_id).filter(at__gte=since, at__lt=until)
    payout = Q(kind=TransferKind.PAYOUT)
    out = went.aggregate(
        given_back=Sum("amount_microusd", filter=~payout, default=0),
        paid_out=Sum("amount_microusd", filter=payout, default=0),
    )
    came_back = _came_back(host_id, until) - _came_back(host_id, since)
    return Movements(
        earned_microusd=MicroUsd(earned["net"]),
        fee_microusd=MicroUsd(earned["fee"]),
        given_back_microusd=MicroUsd(out["given_back"]),
        paid_out_microusd=MicroUsd(out["paid_out"] - came_back),
    )


def balance_at(host_id: int, at: datetime) -> MicroUsd:
    """Return what was in the host's earnings before this moment, the beginning of a day of UTC."""
    days = EarnedDay.objects.filter(host_id=host_id, day__lt=_day(at))
    earned = days.aggregate(sum=Sum("earned_microusd", default=0))["sum"]
    went = _went(host_id).filter(at__lt=at)
    out = went.aggregate(sum=Sum("amount_microusd", default=0))["sum"]
    return MicroUsd(earned + _came_back(host_id, at) - out)


def _went(host_id: int) -> QuerySet[Transfer]:
    """Return what left the host's earnings: a few, as against what came in."""
    mine = Transfer.objects.filter(debit__user_id=host_id, debit__kind=AccountKind.EARNINGS)
    return mine.order_by()


def _came_back(host_id: int, until: datetime) -> int:
    """Return what came back before this moment of payouts that failed."""
    failed = Payout.objects.filter(host_id=host_id, state=PayoutState.FAILED, settled_at__lt=until)
    return int(failed.aggregate(sum=Sum("amount_microusd", default=0))["sum"])


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


def payouts_page(host_id: int, *, after: UUID | None = None) -> RowPage[Payout]:
    """Return a page of the host's payouts, newest first."""
    rows = Payout.objects.filter(host_id=host_id)
    return newest_first(rows, at="created_at", after=after, rows_max=PAYOUTS_MAX)


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
