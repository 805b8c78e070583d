"""This will count what truly happened, by the rows that it left: a test in which nothing happens
would find nothing wrong.
"""

from collections import Counter

from tests.marketplace.money.books import rows

#: what a rule alone knows that it did
SAID = (
    "Stripe was away for an hour",
    "a bank asked its customer",
    "a charge died half-way",
    "a door was shut",
    "a machine booted",
    "a machine was silent",
    "a night came",
    "a signature was forged",
    "a web hook came twice",
    "a web hook was forged",
    "a web hook was old",
    "an answer was lost",
    "intervals came twice",
    "intervals were lost",
    "nonsense was refused",
    "refused: spend_limit_reached",
    "the balance was used up",
    "the clock stepped back",
    "the clock stepped forward",
    "the same request came twice",
)
_MOVED = "SELECT count(*) FROM ledger_transfer WHERE kind = '{}'"
_RENTED = "SELECT count(*) FROM rentals_rental WHERE {}"
#: rows of what happened, by what that was
SEEN = {
    "a card paid": "SELECT count(*) FROM payments_topup WHERE state = 'paid' AND NOT automatic",
    "a card paid by itself": "SELECT count(*) FROM payments_topup"
    " WHERE state = 'paid' AND automatic",
    "a card failed": "SELECT count(*) FROM payments_topup WHERE state = 'refused'",
    "money went back to a card": "SELECT count(*) FROM payments_refund WHERE state = 'done'",
    "a card did not take it back": "SELECT count(*) FROM payments_refund WHERE state = 'failed'",
    "a dispute was open": "SELECT count(*) FROM payments_dispute WHERE state = 'open'",
    "a dispute was won": "SELECT count(*) FROM payments_dispute WHERE state = 'won'",
    "a dispute was lost": "SELECT count(*) FROM payments_dispute WHERE state = 'lost'",
    "credit was given": _MOVED.format("grant"),
    "credit ended": _MOVED.format("expiry"),
    "time was charged": "SELECT count(*) FROM metering_meter WHERE charged_microusd > 0",
    "a fee was taken": _MOVED.format("fee"),
    "a disk was charged": _MOVED.format("storage"),
    "traffic was charged": _MOVED.format("network"),
    "traffic was used up": "SELECT count(*) FROM placements_placementevent"
    " WHERE reason_code = 'traffic_used_up'",
    "a rental was reserved": _RENTED.format("price_type = 'reserved'"),
    "a reservation lost its discount": _RENTED.format("discount_lost_at IS NOT NULL"),
    "a rental was paid an hour ahead": _RENTED.format("funding = 'rolling'"),
    "a machine stopped what nobody paid for": "SELECT count(*) FROM placements_placementevent"
    " WHERE reason_code = 'paid_out'",
    "a rental ran on what it bid": "SELECT count(*) FROM rentals_rental AS rental"
    " JOIN metering_meter AS meter ON meter.id = rental.meter_id"
    " WHERE price_type = 'interruptible' AND charged_microusd > 0",
    "a rental was outbid": "SELECT count(*) FROM placements_placementevent"
    " WHERE reason_code = 'outbid'",
    "a bid was changed": "SELECT count(*) FROM metering_pricechange WHERE reason = 'bid'",
    "a host lowered a price": "SELECT count(*) FROM metering_pricechange"
    " WHERE reason = 'host_lowered'",
    "a renter accepted a price": "SELECT count(*) FROM rentals_priceproposal"
    " WHERE state = 'accepted'",
    "a renter declined a price": "SELECT count(*) FROM rentals_priceproposal"
    " WHERE state = 'declined'",
    "a rental was extended": "SELECT count(*) FROM rentals_extension",
    "a proof gave credit": "SELECT count(*) FROM rentals_rentalproof WHERE returned_microusd > 0",
    "a host gave back for a report": "SELECT count(*) FROM rentals_rentalreport"
    " WHERE host_microusd > 0",
    "the site alone gave back for a report": "SELECT count(*) FROM rentals_rentalreport"
    " WHERE state = 'credited' AND payer = 'site'",
    "a host was paid": "SELECT count(*) FROM payouts_payout WHERE state = 'paid'",
    "a payout was refused": "SELECT count(*) FROM payouts_payoutattempt WHERE state = 'refused'",
    "a payout came back": "SELECT count(*) FROM payouts_payout WHERE state = 'failed'",
    "an interval did not count": "SELECT count(*) FROM metering_signedintervalrow"
    " WHERE billable_to IS NULL",
    "an invoice was issued": "SELECT count(*) FROM papers_paper WHERE kind = 'invoice'",
}


def seen() -> Counter[str]:
    """Return how often each thing has left a row."""
    return Counter({name: int(rows(statement)[0][0]) for name, statement in SEEN.items()})


def missing(tally: Counter[str]) -> list[str]:
    """Return what never happened."""
    return sorted(name for name in (*SAID, *SEEN) if tally[name] < 1)
