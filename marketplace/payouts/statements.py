"""This will put together a host's statement of one month, which adds up to the balance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.payouts import queries
from marketplace.payouts.models import Payout
from marketplace.payouts.queries import MachineDay, Movements

COLUMNS = ("day", "what", "machine", "rent_usd", "fee_usd", "amount_usd")


class MonthUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no statement of this month; write it as 2026-11."


@dataclass(frozen=True, slots=True)
class MonthStatement:
    """What moved in one month: opening + earned - given back - paid out = closing."""

    #: ``2026-11``
    month: str
    since: datetime
    until: datetime
    opening_microusd: MicroUsd
    moved: Movements
    closing_microusd: MicroUsd
    days: Sequence[MachineDay]
    payouts: Sequence[Payout]


def statement(host_id: int, month: str, *, now: datetime) -> MonthStatement:
    """Return the statement; of the month that goes on, as it is so far.

    :raises MonthUnknown: when it is no month, or one to come.
    """
    bounds = queries.month(month)
    if bounds is None or bounds[0] > now:
        raise MonthUnknown
    since, until = bounds
    opening = queries.balance_at(host_id, since)
    moved = queries.movements(host_id, since, until)
    return MonthStatement(
        month=month,
        since=since,
        until=until,
        opening_microusd=opening,
        moved=moved,
        closing_microusd=MicroUsd(
            opening + moved.earned_microusd - moved.given_back_microusd - moved.paid_out_microusd
        ),
        days=queries.earned_days(host_id, since=since, until=until),
        payouts=tuple(
            Payout.objects.filter(
                host_id=host_id, created_at__gte=since, created_at__lt=until
            ).order_by("created_at", "id")
        ),
    )


def months(host_id: int, *, now: datetime) -> Sequence[str]:
    """Return every month that has a statement, newest first."""
    first = queries.first_earned_at(host_id)
    if first is None:
        return ()
    since, until = first.year * 12 + first.month - 1, now.year * 12 + now.month - 1
    return tuple(f"{at // 12}-{at % 12 + 1:02d}" for at in range(until, since - 1, -1))


def rows(found: MonthStatement) -> Iterator[Sequence[str]]:
    """Yield the statement as lines of a table; the last column adds up to the last line."""
    yield COLUMNS
    first = f"{found.since:%Y-%m-%d}"
    yield first, "balance brought forward", "", "", "", usd(found.opening_microusd)
    for day in found.days:
        rent, machine = day.microusd + day.fee_microusd, str(day.machine_id or "")
        what = "rent" if day.machine_id else "credit"
        kept = usd(-day.fee_microusd)
        yield f"{day.day}", what, machine, usd(rent), kept, usd(day.microusd)
    last = f"{found.until:%Y-%m-%d}"
    yield last, "given back", "", "", "", usd(-found.moved.given_back_microusd)
    yield last, "paid out", "", "", "", usd(-found.moved.paid_out_microusd)
    yield last, "balance", "", "", "", usd(found.closing_microusd)


def usd(microusd: int) -> str:
    """Return dollars for a spreadsheet: ``-12.500000``."""
    whole, part = divmod(abs(microusd), 1_000_000)
    return f"{'-' if microusd < 0 else ''}{whole}.{part:06d}"
