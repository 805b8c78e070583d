"""This will prepare the lines of a statement."""

from dataclasses import dataclass

from marketplace.domain.ledger import StatementLine, TransferKind
from marketplace.domain.money import format_usd
from marketplace.pages.shown.rental import Moment

KINDS = {
    TransferKind.TOP_UP: "Money added",
    TransferKind.TEST_CREDIT: "Test money added",
    TransferKind.CHARGE: "Rental",
    TransferKind.FEE: "Fee",
    TransferKind.REFUND: "Refund",
    TransferKind.PAYOUT: "Paid out",
}


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


def line(entry: StatementLine) -> Line:
    """Return one line in words."""
    rises = entry.amount_microusd >= 0
    return Line(
        at=Moment.of(entry.at),
        since=Moment.of(entry.since if entry.since < entry.at else None),
        kind=KINDS.get(entry.kind, entry.kind.replace("_", " ").capitalize()),
        note=entry.note,
        amount=f"{'+' if rises else ''}{format_usd(entry.amount_microusd)}",
        rises=rises,
        total=format_usd(entry.total_microusd),
    )
