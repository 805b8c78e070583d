"""This will say which higher price a rental's host asks and nobody agreed to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.domain.price_proposal import ProposalState
from marketplace.domain.terms import repriced, worst_total
from marketplace.rentals.models import PriceProposal, Rental
from protocol.agent import Want


@dataclass(frozen=True, slots=True)
class PendingPrice:
    """A higher price that its host asks; without the renter's yes the old one holds to its end."""

    price_hour_microusd: int
    #: no second before costs more
    from_at: datetime
    #: the most that the rental costs with it
    worst_total_microusd: int
    #: its renter said no, and may still say yes
    declined: bool


def pending_price(rental: Rental) -> PendingPrice | None:
    """Return the price that waits for an answer, of a rental read with ``waiting_proposals``."""
    found: list[PriceProposal] = rental.waiting_proposals  # type: ignore[attr-defined]
    if not found or rental.placement.want == Want.END:
        return None
    (proposal,) = found

    def ms(at: datetime) -> int:
        return (at - rental.started_at) // timedelta(milliseconds=1)

    until = rental.placement.funded_until
    priced = repriced(
        rental.priced,
        price_hour_microusd=proposal.price_hour_microusd,
        at_ms=ms(min(proposal.from_at, until)),
    )
    return PendingPrice(
        price_hour_microusd=proposal.price_hour_microusd,
        from_at=proposal.from_at,
        worst_total_microusd=worst_total(priced, ms(until)),
        declined=proposal.state == ProposalState.DECLINED,
    )
