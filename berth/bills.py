"""This will describe what the REST API says of bills, receipts and statements."""

from datetime import date, datetime

from berth.shapes import Shape
from protocol.receipts import SignedInterval


class BillPeriod(Shape):
    """Billed time at one price."""

    price_hour_microusd: int
    #: billed milliseconds before it
    from_ms: int
    ms: int
    cost_microusd: int
    #: why it began; empty: it is the first
    reason: str = ""


class ChargedDay(Shape):
    day: date
    amount_microusd: int


class Receipts(Shape):
    machine_key: str
    intervals: tuple[SignedInterval, ...]
    billed_ms: int
    cost_microusd: int
    #: of all pages, on the last
    periods: tuple[BillPeriod, ...] = ()
    charges: tuple[ChargedDay, ...] = ()
    #: None: these are the last
    next_cursor: int | None = None


class Unbilled(Shape):
    reason: str
    sentence: str
    ms: int


class GivenBack(Shape):
    """What came back, as a proof showed that less was delivered than was listed."""

    #: of what was listed, in millionths
    delivered_ppm: int
    microusd: int


class Credited(Shape):
    """What staff gave back for a report."""

    report_id: str
    microusd: int


class Bill(Shape):
    """What a rental cost, and what of its time cost nothing."""

    total_ms: int
    billed_ms: int
    unbilled: tuple[Unbilled, ...] = ()
    periods: tuple[BillPeriod, ...] = ()
    storage_microusd: int = 0
    traffic_microusd: int = 0
    given_back: tuple[GivenBack, ...] = ()
    credited: tuple[Credited, ...] = ()
    total_microusd: int


class StatementLine(Shape):
    """All charges of one rental, or one other movement."""

    #: of the first charge
    since: datetime
    #: of the newest
    at: datetime
    kind: str
    #: what was charged, such as ``Job c05b85eb``; empty: it is no charge
    title: str | None = ""
    amount_microusd: int
    note: str | None = ""
    #: the sum of this line and all older ones
    total_microusd: int
    #: what of a rental's time was not charged, and why
    unbilled: tuple[Unbilled, ...] = ()


class Statement(Shape):
    items: tuple[StatementLine, ...]
    #: can be spent
    balance_microusd: int
    #: set aside for rentals
    held_microusd: int
    #: None: these are the oldest lines
    next_cursor: str | None = None


class SpendLimits(Shape):
    """What the account may set aside in a day and in a month of UTC; None: no limit."""

    day_microusd: int | None = None
    month_microusd: int | None = None
    #: what is counted of them by now
    day_counted_microusd: int | None = None
    month_counted_microusd: int | None = None
