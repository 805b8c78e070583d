"""This will prepare a rental's bill for its page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from marketplace.domain.bill import SENTENCES, Reason
from marketplace.domain.money import format_usd
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment
from marketplace.rentals.bills import Bill, Period

#: the newest stretches; the sums hold all of them
STRETCHES_MAX = 50
SECOND = timedelta(seconds=1)
BEGAN = {
    "": "",
    "bid": "after a change of the bid",
    "whole_term_paid": "the whole term is paid",
    "delivered_less": "as it delivered less than was listed",
    "delivered_again": "as it delivered what was listed again",
    "delivered_unproven": "as no proof of the last seven days shows that it delivers less",
}


@dataclass(frozen=True, slots=True)
class Line:
    what: str
    why: str
    amount: str


@dataclass(frozen=True, slots=True)
class Stretch:
    since: Moment
    lasted: str
    why: str


@dataclass(frozen=True, slots=True)
class BillCard:
    total_time: str
    billed: str
    #: what was charged for
    lines: tuple[Line, ...]
    #: ``3 min 12 s`` and why
    unbilled: tuple[tuple[str, str], ...]
    stretches: tuple[Stretch, ...]
    total: str


def card(bill: Bill) -> BillCard:
    """Return the bill in words."""
    newest = [one for one in bill.split.unbilled if one.stretch.end - one.stretch.start >= SECOND]
    return BillCard(
        total_time=wording.duration(bill.split.total_ms),
        billed=wording.duration(bill.split.billed_ms),
        lines=_lines(bill),
        unbilled=tuple(
            (wording.duration(ms), SENTENCES[reason])
            for reason, ms in bill.split.by_reason().items()
            if ms >= 1000
        ),
        stretches=tuple(
            Stretch(
                Moment.of(one.stretch.start),
                wording.duration(one.stretch.ms),
                SENTENCES[one.reason],
            )
            for one in reversed(newest[-STRETCHES_MAX:])
        ),
        total=format_usd(bill.total_microusd),
    )


def unbilled_sentences(ms_by_reason: Mapping[Reason, int]) -> tuple[str, ...]:
    """Return what a line of the statement says of time that was not charged."""
    return tuple(
        f"{wording.duration(ms)} not charged: {SENTENCES[reason]}"
        for reason, ms in ms_by_reason.items()
        if ms >= 1000
    )


def _lines(bill: Bill) -> tuple[Line, ...]:
    lines = [_line(period) for period in bill.periods]
    if bill.storage_microusd:
        stored = wording.duration(bill.stored_ms)
        lines.append(Line(f"Its disk, {stored} stopped", "", format_usd(bill.storage_microusd)))
    if bill.traffic_microusd:
        traffic = f"{bill.traffic_bytes / 10**9:.3f} GB of traffic"
        lines.append(Line(traffic, "", format_usd(bill.traffic_microusd)))
    for back in bill.given_back:
        why = f"a proof showed {back.delivered_ppm / 10_000:.1f} % of what was listed"
        lines.append(Line("Given back", why, format_usd(-back.microusd)))
    for one in bill.credited:
        why = f"staff answered report {str(one.report_id)[:8]}"
        lines.append(Line("Given back", why, format_usd(-one.microusd)))
    return tuple(lines)


def _line(period: Period) -> Line:
    price = format_usd(period.price_hour_microusd)
    why = BEGAN.get(period.reason, period.reason.replace("_", " "))
    seconds = f"{period.ms / 1000:.3f}".rstrip("0").rstrip(".")
    return Line(f"{seconds} s at {price} an hour", why, format_usd(period.cost_microusd))
