"""This will find what the ledger charged a person within some time, line by line.

All that moved between their own money and hosts' or the site's is here, of whatever kind, so that
the lines add up to the ledger.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Case, CharField, F, Max, Q, QuerySet, Sum, Value, When

from marketplace.domain.invoice import Line, Period, bounded, timed_lines
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.models import Transfer
from marketplace.ledger.queries import CHARGED, FUNDS
from marketplace.metering.models import Meter, PriceChange
from marketplace.rentals.charged import titles

PAID = (AccountKind.EARNINGS, AccountKind.FEES)
TIME = "time"
#: the site's share of what a disk or traffic cost has the kind of every share
SIDES = (TransferKind.STORAGE, TransferKind.NETWORK)
TIMED = ~Q(cause__contains=":rerated") & ~Q(
    *((Q(cause__contains=f":{side}:")) for side in SIDES), _connector=Q.OR
)
WHAT = Case(
    *(When(cause__contains=f":{side}:", then=Value(side)) for side in SIDES),
    When(kind__in=CHARGED, then=Value(TIME)),
    default=F("kind"),
    output_field=CharField(),
)
WORDS = {
    TransferKind.STORAGE: "storage while stopped",
    TransferKind.NETWORK: "network traffic",
    TIME: "",
}
GIVEN_BACK = "Credit given back"


def usage(user_id: int, since: datetime, until: datetime) -> tuple[Line, ...]:
    """Return the lines of [since, until), each rental's together; none: nothing was charged."""
    paid = _paid(user_id, since, until)
    sums: dict[UUID, dict[str, int]] = defaultdict(dict)
    rows = paid.annotate(what=WHAT).values("debit", "what")
    for row in rows.annotate(sum=Sum("amount_microusd")):
        sums[row["debit"]][row["what"]] = row["sum"]
    meters = Meter.objects.filter(hold__account__in=sums).select_related("placement", "hold")
    lines: list[Line] = []
    for meter, stretch in _stretches(list(meters.order_by("opened_at", "id")), paid, since):
        lines.extend(_lines(meter, sums.pop(meter.hold.account_id), *stretch))
    for by_kind in sums.values():
        lines.extend(_others("Charge", by_kind))
    lines.extend(_given_back(user_id, since, until))
    return bounded(lines)


def charged(user_id: int, since: datetime, until: datetime) -> MicroUsd:
    """Return what the ledger charged in [since, until), less what was given back."""
    out = _paid(user_id, since, until).aggregate(sum=Sum("amount_microusd"))["sum"] or 0
    back = _back(user_id, since, until).aggregate(sum=Sum("amount_microusd"))["sum"] or 0
    return MicroUsd(out - back)


def _paid(user_id: int, since: datetime, until: datetime) -> QuerySet[Transfer]:
    return Transfer.objects.filter(
        debit__user_id=user_id,
        debit__kind__in=FUNDS,
        credit__kind__in=PAID,
        at__gte=since,
        at__lt=until,
    ).order_by()


def _back(user_id: int, since: datetime, until: datetime) -> QuerySet[Transfer]:
    return Transfer.objects.filter(
        credit__user_id=user_id,
        credit__kind__in=FUNDS,
        debit__kind__in=PAID,
        at__gte=since,
        at__lt=until,
    ).order_by()


def _stretches(
    meters: list[Meter], paid: QuerySet[Transfer], since: datetime
) -> Iterator[tuple[Meter, tuple[str, list[Period], int, int]]]:
    """Yield each meter with its name, its prices and the milliseconds charged in between."""
    accounts = [meter.hold.account_id for meter in meters]
    timed = Q(kind__in=CHARGED, cause__startswith="meter:") & TIMED
    earlier = Transfer.objects.filter(
        debit__in=accounts, credit__kind__in=PAID, at__lt=since
    ).order_by()
    before, reached = _reached(earlier.filter(timed)), _reached(paid.filter(timed))
    prices, names = _prices(meters), _names(meters)
    for meter in meters:
        account = meter.hold.account_id
        first = before.get(account, 0)
        yield meter, (names[meter.id], prices[meter.id], first, reached.get(account, first))


def _reached(rows: QuerySet[Transfer]) -> Mapping[UUID, int]:
    """Return the proven milliseconds that the last charge of each hold names."""
    last = rows.values("debit").annotate(last=Max("id")).values_list("last", flat=True)
    found = Transfer.objects.filter(id__in=list(last)).values_list("debit", "cause")
    return {debit: _milliseconds(cause) for debit, cause in found}


def _milliseconds(cause: str) -> int:
    """Return 10000 of ``meter:ID:10000`` and of ``meter:ID:10000:fee``; 0 of other causes."""
    parts = cause.split(":")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdecimal() else 0


def _prices(meters: Collection[Meter]) -> Mapping[UUID, list[Period]]:
    """Return each meter's prices in order, by the milliseconds at which they took hold."""
    periods: dict[UUID, list[Period]] = {meter.id: [] for meter in meters}
    held = PriceChange.objects.filter(meter__in=periods, from_ms__isnull=False)
    changes: dict[UUID, list[PriceChange]] = defaultdict(list)
    for change in held.order_by("from_ms", "at", "id"):
        changes[change.meter_id].append(change)
    for meter in meters:
        mine = changes[meter.id]
        first = mine[0].former_price_hour_microusd if mine else meter.price_hour_microusd
        periods[meter.id].append(Period(0, first or 0))
        for change in mine:
            periods[meter.id].append(Period(change.from_ms or 0, change.price_hour_microusd))
    return periods


def _names(meters: Collection[Meter]) -> Mapping[UUID, str]:
    """Return what a person knows each meter by: its rental's id, and its image."""
    found = titles([meter.hold.account_id for meter in meters])
    return {
        meter.id: (
            f"{found[meter.hold.account_id]} ({meter.placement.workload.get('image', '')[:80]})"
        )
        for meter in meters
    }


def _lines(
    meter: Meter, by_kind: dict[str, int], name: str, periods: list[Period], first: int, last: int
) -> Iterator[Line]:
    time = by_kind.pop(TIME, 0)
    yield from timed_lines(name, periods, since_ms=first, until_ms=last, charged=MicroUsd(time))
    yield from _others(name, by_kind)


def _others(name: str, by_kind: Mapping[str, int]) -> Iterator[Line]:
    for kind, sum_ in sorted(by_kind.items()):
        what = WORDS.get(kind, kind.replace("_", " "))
        yield Line(f"{name}: {what}" if what else name, "", MicroUsd(sum_))


def _given_back(user_id: int, since: datetime, until: datetime) -> Iterator[Line]:
    """Yield a line for each reason: host and site each give their part, money and credit apart."""
    sums: dict[str, int] = {}
    for row in _back(user_id, since, until).order_by("id"):
        text = GIVEN_BACK if row.kind == TransferKind.REFUND else row.kind.replace("_", " ")
        text = f"{text}: {row.note}" if row.note else text
        sums[text] = sums.get(text, 0) + row.amount_microusd
    for text, amount in sums.items():
        yield Line(text, "", MicroUsd(-amount))
