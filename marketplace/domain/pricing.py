"""This will price a request and say the most that it can cost before anybody agrees to it."""

from enum import StrEnum
from fractions import Fraction
from math import ceil

from marketplace.domain.matching import Slice
from marketplace.domain.money import MS_PER_HOUR, MicroUsd, format_usd
from marketplace.domain.problem import Refused

TERM_MS_MIN = 1000
#: longer than any rental; the database counts milliseconds in 64 bits
MS_MAX = 1 << 45


class PriceRaised(Refused):
    """The price is above what the renter agreed to."""

    code = "price_raised"
    status = 409


class BidsNotTaken(Refused):
    """The host set no floor, so there is nothing to bid for."""

    code = "bids_not_taken"
    status = 409
    sentence = "This host takes no bids; rent at the price of the offer."


class BidBelowFloor(Refused):
    """The bid is below what the host accepts."""

    code = "bid_below_floor"
    status = 409


class TermTooLong(Refused):
    """The lease is longer than the offer allows."""

    code = "term_too_long"
    status = 409


class LimitMissing(Refused):
    """Neither a lease end nor a dollar cap bounds the rental."""

    code = "limit_missing"
    status = 422
    sentence = "Say how long you rent or how much you spend at most."


class TermTooShort(Refused):
    """The limits leave less than a second."""

    code = "term_too_short"
    status = 422
    sentence = "That is less than a second here; allow more time or more money."


class NotLonger(Refused):
    """The new limits end a rental no later than the present ones."""

    code = "not_longer"
    status = 422
    sentence = "The new limit must be above the present one."


class PriceType(StrEnum):
    """What a renter pays for: each second, a term at a discount, or a bid that others may beat."""

    ON_DEMAND = "on_demand"
    RESERVED = "reserved"
    INTERRUPTIBLE = "interruptible"


class Bound(StrEnum):
    """Which limit ends a rental: the first that is reached. Its value is the reason's code."""

    LEASE = "lease_ended"
    CAP = "cap_reached"
    #: the longest that the host rents to anybody
    LONGEST = "term_ended"


REASONS = {
    Bound.LEASE: "Its lease ended.",
    Bound.CAP: "Its dollar cap was reached.",
    Bound.LONGEST: "The host's longest term is over.",
}
ENDS_FIRST = {
    Bound.LEASE: "Its lease would end it first; add hours too.",
    Bound.CAP: "Its dollar cap would end it first; raise that too.",
    Bound.LONGEST: "This host rents for no longer than that.",
}


def price_hour(asked: Slice, *, total: Slice, price_unit_microusd: int) -> MicroUsd:
    """Return the price of an hour of a slice: its largest share of anything the machine has.

    A host names the price of one unit: a GPU, or where the machine has none a CPU. Whoever takes
    half of the memory leaves half of the machine to others, so it costs half of all units however
    few of those are asked for. Rounded up, so that no split of a request is cheaper than it.
    Source: docs/decisions/0007-price-by-the-largest-share.md
    """
    whole_microusd = (total.gpus or total.cpus) * price_unit_microusd
    return MicroUsd(ceil(whole_microusd * max(shares(asked, total=total).values(), default=0)))


def shares(asked: Slice, *, total: Slice) -> dict[str, Fraction]:
    """Return which part of each thing is asked for, named for people, the machine's unit first.

    Of what the machine has none there is no part; to ask for it is refused elsewhere.
    """
    parts = {
        "GPUs": (asked.gpus, total.gpus),
        "CPUs": (asked.cpus, total.cpus),
        "memory": (asked.memory_bytes, total.memory_bytes),
        "disk": (asked.disk_bytes, total.disk_bytes),
    }
    return {name: Fraction(part, all_) for name, (part, all_) in parts.items() if all_}


def floor_hour(
    *, price_hour_microusd: int, price_unit_microusd: int, floor_unit_microusd: int
) -> MicroUsd:
    """Return the least that an hour of a slice goes for, rounded up.

    A host names its price and its floor for one unit, a GPU or where there is none a CPU. A slice
    may go below its price by the same share as one unit may.
    """
    return MicroUsd(-(-price_hour_microusd * floor_unit_microusd // price_unit_microusd))


def check_bid(
    bid_hour_microusd: int, *, price_hour_microusd: int, floor_hour_microusd: int
) -> MicroUsd:
    """Return the price of an hour for this bid: never more than anybody pays without one.

    :raises BidBelowFloor: when the host wants more.
    """
    if bid_hour_microusd < min(floor_hour_microusd, price_hour_microusd):
        raise BidBelowFloor("Your bid is below what this host accepts; raise it.")
    return MicroUsd(min(bid_hour_microusd, price_hour_microusd))


def check_price(price_hour_microusd: int, *, at_most_microusd: int | None) -> None:
    """Accept the price of an hour that the renter agreed to. None: any price.

    :raises PriceRaised: when it is higher.
    """
    if at_most_microusd is not None and price_hour_microusd > at_most_microusd:
        raise PriceRaised(
            f"This costs {format_usd(price_hour_microusd)} an hour now, more than the"
            f" {format_usd(at_most_microusd)} you agreed to; rent again if that is fine."
        )


def term_ms(
    *,
    price_hour_microusd: int,
    lease_s: int | None,
    cap_microusd: int | None,
    longest_term_s: int,
    from_ms: int = 0,
    from_microusd: int = 0,
) -> int:
    """Return the longest that a rental may run, in milliseconds: its lease, cap and offer bound it.

    ``from_ms``: the price holds from there on. ``from_microusd``: what is spent by then at most.
    :raises LimitMissing: when neither a lease nor a cap is given.
    :raises TermTooLong: when the lease is longer than the offer's longest term.
    :raises TermTooShort: when less than a second is left.
    """
    if lease_s is None and cap_microusd is None:
        raise LimitMissing
    if lease_s is not None and lease_s > longest_term_s:
        raise TermTooLong(f"This host rents for {_in_words(longest_term_s)} at most.")
    bound_ms = (longest_term_s if lease_s is None else lease_s) * 1000
    if cap_microusd is not None:
        left_ms = bound_ms - from_ms
        bound_ms = from_ms + affordable_ms(
            price_hour_microusd, cap_microusd - from_microusd, at_most_ms=left_ms
        )
    if bound_ms < TERM_MS_MIN:
        raise TermTooShort
    return bound_ms


def _in_words(seconds: int) -> str:
    """Return ``3 hours`` or, below two hours, ``90 minutes``."""
    return f"{seconds // 3600} hours" if seconds >= 7200 else f"{seconds // 60} minutes"


def bound_by(
    *,
    price_hour_microusd: int,
    lease_s: int | None,
    cap_microusd: int | None,
    term_ms: int,
    from_ms: int = 0,
    from_microusd: int = 0,
) -> Bound:
    """Return which limit ends a rental that may run for ``term_ms`` milliseconds."""
    if lease_s is not None and lease_s * 1000 <= term_ms:
        return Bound.LEASE
    if cap_microusd is not None:
        left_ms = term_ms - from_ms
        cap_left = cap_microusd - from_microusd
        if affordable_ms(price_hour_microusd, cap_left, at_most_ms=left_ms + 1) <= left_ms:
            return Bound.CAP
    return Bound.LONGEST


def raised(present: int | None, asked: int | None) -> int | None:
    """Return the limit that holds from now on. None asked: the present one stays.

    :raises NotLonger: when it is below the present one.
    """
    if asked is None:
        return present
    if present is not None and asked < present:
        raise NotLonger
    return asked


def affordable_ms(price_hour_microusd: int, amount_microusd: int, *, at_most_ms: int) -> int:
    """Return how many milliseconds ``amount_microusd`` pays for, never more than ``at_most_ms``."""
    if not price_hour_microusd:
        return at_most_ms
    return min(at_most_ms, amount_microusd * MS_PER_HOUR // price_hour_microusd)


def value(*, price_hour_microusd: int, rate: int | None) -> MicroUsd | None:
    """Return micro-USD per hour for a million of what was measured; None: nothing was."""
    if not rate:
        return None
    return MicroUsd(price_hour_microusd * 1_000_000 // rate)
