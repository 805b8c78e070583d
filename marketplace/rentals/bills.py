"""This will make the bill of a rental from what was signed, seen, and charged."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import TruncDate, TruncHour

from marketplace.domain.bill import Split
from marketplace.domain.money import charge
from marketplace.ledger.models import Transfer
from marketplace.ledger.queries import CHARGED
from marketplace.metering.actions.rerate import WHOLE_TERM
from marketplace.metering.models import Meter, SideMeter
from marketplace.rentals.models import Rental, RentalProof
from marketplace.rentals.rental_reports import Credited, credited
from marketplace.rentals.unbilled import splits


@dataclass(frozen=True, slots=True)
class Period:
    """Billed time at one price."""

    price_hour_microusd: int
    #: billed milliseconds before it, and of it
    from_ms: int
    ms: int
    cost_microusd: int
    #: why it began: the code of the price change; empty: it is the first
    reason: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What came back of the charges, as a proof showed that less was delivered than was listed."""

    at: datetime
    proof_id: UUID
    delivered_ppm: int
    microusd: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What a rental cost so far, and what of its time cost nothing."""

    started_at: datetime
    #: None: it goes on
    ended_at: datetime | None
    split: Split
    periods: tuple[Period, ...]
    #: what the periods cost together
    time_microusd: int
    #: of its disk while it was stopped, and of its traffic
    stored_ms: int
    storage_microusd: int
    traffic_bytes: int
    traffic_microusd: int
    #: in order
    given_back: tuple[GivenBack, ...]
    #: by staff, for reports of its renter, in order
    credited: tuple[Credited, ...]

    @property
    def total_microusd(self) -> int:
        """Return all that was charged, less what came back."""
        charged = self.time_microusd + self.storage_microusd + self.traffic_microusd
        back = sum(one.microusd for one in self.given_back)
        return charged - back - sum(one.microusd for one in self.credited)


def bill(rental: Rental, *, now: datetime) -> Bill:
    """Return the bill as it stands; of a rental that ended and is settled it never changes."""
    placement, meter = rental.placement, rental.meter
    side = SideMeter.objects.filter(meter=meter).first()
    return Bill(
        started_at=rental.started_at,
        ended_at=placement.ended_at if meter.closed_at is not None else None,
        split=splits([rental], now=now)[rental.id],
        periods=periods(meter),
        time_microusd=meter.charged_microusd,
        stored_ms=side.stored_ms if side else 0,
        storage_microusd=side.storage_microusd if side else 0,
        traffic_bytes=side.traffic_bytes if side else 0,
        traffic_microusd=side.traffic_microusd if side else 0,
        given_back=_given_back(rental),
        credited=tuple(credited(rental.id)),
    )


def periods(meter: Meter) -> tuple[Period, ...]:
    """Return the charged time by its prices, in order; their costs are exactly what was charged."""
    held = list(meter.price_changes.filter(from_ms__isnull=False).order_by("at", "id"))
    found: list[Period] = []
    from_ms, reason, cost = 0, "", 0
    for change in held:
        if change.from_ms is None or change.former_price_hour_microusd is None:
            continue
        until_ms, price = min(change.from_ms, meter.charged_ms), change.former_price_hour_microusd
        own = charge(price, until_ms - from_ms)
        if change.reason == WHOLE_TERM:
            # The whole term's price is the most that all before can have cost.
            own = min(own, type(own)(meter.charged_microusd - cost))
        found.append(Period(price, from_ms, until_ms - from_ms, own, reason))
        from_ms, reason, cost = until_ms, change.reason, cost + own
    last_ms = meter.charged_ms - from_ms
    own = charge(meter.price_hour_microusd, last_ms)
    found.append(Period(meter.price_hour_microusd, from_ms, last_ms, own, reason))
    return tuple(one for one in found if one.ms or one.reason == WHOLE_TERM) or (found[0],)


def cost_until(meter: Meter, ms: int) -> int:
    """Return what the first milliseconds of the charged time cost."""
    return sum(
        one.cost_microusd
        if one.from_ms + one.ms <= ms
        else charge(one.price_hour_microusd, max(0, ms - one.from_ms))
        for one in periods(meter)
    )


@dataclass(frozen=True, slots=True)
class Day:
    """What was charged for time on one day."""

    day: date
    amount_microusd: int


def charges(meter: Meter) -> tuple[Day, ...]:
    """Return what the meter says was charged for time, by UTC's days, in order."""
    rows = Transfer.objects.filter(debit__hold=meter.hold_id, kind__in=CHARGED)
    days = rows.order_by().annotate(day=TruncDate("at", tzinfo=UTC)).values("day")
    found, left = [], meter.charged_microusd
    # A charge may have come since the meter was read: no more than that tells.
    for row in days.annotate(sum=Sum("amount_microusd")).order_by("day"):
        found.append(Day(row["day"], min(row["sum"], left)))
        left -= found[-1].amount_microusd
    return tuple(one for one in found if one.amount_microusd)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a rental was charged: up to a moment, and each charge after it."""

    before_microusd: int
    #: when and how much, in order
    later: tuple[tuple[datetime, int], ...]


def spent(meter: Meter, *, since: datetime) -> Spent:
    """Return what was charged for everything, and what of it came after that moment."""
    rows = Transfer.objects.filter(debit__hold=meter.hold_id, kind__in=CHARGED)
    before = rows.filter(at__lte=since).aggregate(sum=Sum("amount_microusd"))["sum"]
    later = rows.filter(at__gt=since).order_by("at", "id").values_list("at", "amount_microusd")
    return Spent(before or 0, tuple(later))


def spent_by_hour(meter: Meter, *, since: datetime) -> Spent:
    """Return the same, all charges of an hour together; the first hour is whole."""
    rows = Transfer.objects.filter(debit__hold=meter.hold_id, kind__in=CHARGED)
    first = since.replace(minute=0, second=0, microsecond=0)
    before = rows.filter(at__lt=first).aggregate(sum=Sum("amount_microusd"))["sum"]
    later = rows.filter(at__gte=first).order_by()
    hours = later.annotate(hour=TruncHour("at", tzinfo=UTC)).values("hour")
    summed = hours.annotate(sum=Sum("amount_microusd")).order_by("hour")
    return Spent(before or 0, tuple((row["hour"], row["sum"]) for row in summed))


def _given_back(rental: Rental) -> tuple[GivenBack, ...]:
    rows = RentalProof.objects.filter(rental=rental, returned_microusd__gt=0)
    return tuple(
        GivenBack(one.counted_at, one.id, one.delivered_ppm or 0, one.returned_microusd)
        for one in rows.order_by("counted_at", "id")
        if one.counted_at is not None
    )
