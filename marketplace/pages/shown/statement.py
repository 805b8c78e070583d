"""This will prepare the lines of a statement."""

from dataclasses import dataclass
from datetime import timedelta

from marketplace.domain.ledger import StatementLine, TransferKind
from marketplace.domain.money import format_usd
from marketplace.domain.runway import runway
from marketplace.ledger import queries
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment

KINDS = {
    TransferKind.TOP_UP: "Money added",
    TransferKind.TEST_CREDIT: "Test money added",
    TransferKind.CHARGE: "Rental",
    TransferKind.FEE: "Fee",
    TransferKind.STORAGE: "Storage",
    TransferKind.NETWORK: "Traffic",
    TransferKind.REFUND: "Refund",
    TransferKind.FREEZE: "Set aside for a dispute",
    TransferKind.THAW: "Given back after a dispute",
    TransferKind.DISPUTE: "Lost to a dispute",
    TransferKind.PAYOUT: "Paid out",
    TransferKind.GRANT: "Credit",
    TransferKind.EXPIRY: "Credit ended",
}


#: nobody plans further ahead
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Line:
    at: Moment
    #: when its first charge was; no text: it is a single movement
    since: Moment
    kind: str
    note: str
    amount: str
    rises: bool
    total: str
    #: what of a rental's time was not charged, a sentence for each reason
    unbilled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Credit:
    left: str
    until: Moment
    note: str


def runway_sentence(funds_microusd: int, burn_hour: int) -> str:
    """Return what runs and how long all that the person has lasts for it.

    ``funds_microusd``: what can be spent and what is set aside; ``burn_hour``: micro-USD.
    """
    if not burn_hour:
        return "Nothing that costs money runs now."
    left = runway(funds_microusd, burn_hour_microusd=burn_hour)
    lasts = "a year and more"
    if left < YEAR:
        lasts = wording.duration(int(left.total_seconds()) * 1000)
    costs = f"What runs costs {format_usd(burn_hour)} an hour"
    return f"{costs}: this and what is set aside last for {lasts}."


def credit(given: queries.Credit) -> Credit:
    """Return what is left of credit, in words."""
    return Credit(format_usd(given.left_microusd), Moment.of(given.expires_at), given.note)


def line(entry: StatementLine, *, title: str = "", unbilled: tuple[str, ...] = ()) -> Line:
    """Return one line in words; ``title``: what was charged, where that is known."""
    rises = entry.amount_microusd >= 0
    return Line(
        at=Moment.of(entry.at),
        since=Moment.of(entry.since if entry.since < entry.at else None),
        kind=title or KINDS.get(entry.kind, entry.kind.replace("_", " ").capitalize()),
        note=entry.note,
        amount=f"{'+' if rises else ''}{format_usd(entry.amount_microusd)}",
        rises=rises,
        total=format_usd(entry.total_microusd),
        unbilled=unbilled,
    )
