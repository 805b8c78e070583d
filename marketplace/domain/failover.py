"""This will say when another machine takes a rental over that did not come up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.domain.placement import Blame
from marketplace.domain.pricing import PriceType
from marketplace.domain.problem import Refused

#: machines that are tried for one rental, the first among them
MACHINES_MAX = 3
#: whoever still waits by then has looked for something else
WITHIN = timedelta(minutes=30)
#: of a page that proposes a price: what the next best machine may cost more
DEARER_PPM = 250_000


class FailoverUnfit(Refused):
    """Nothing but the one machine can give what was asked for."""

    code = "failover_unfit"
    status = 422
    sentence = (
        "Only a rental on demand, without volumes, can go to another machine; leave the failover"
        " price out, or the volumes, the bid or the reservation."
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a placement that is over, whose renter wanted it on another machine then."""

    #: empty: nobody is at fault
    blame: str
    #: its door was seen from outside
    came_up: bool
    #: its renter, or whoever may, asked for its stop or its end
    unwanted: bool
    #: the first one's, of those that took it over from each other
    first_started_at: datetime
    machines: int


def check_fit(*, price_type: PriceType, volumes: int) -> None:
    """Accept that another machine could take it over.

    :raises FailoverUnfit: when none could.
    """
    if price_type is not PriceType.ON_DEMAND or volumes:
        raise FailoverUnfit


def goes_on(outcome: Outcome, *, now: datetime) -> bool:
    """Say whether another machine is tried: this one failed, and nobody logged in to it yet."""
    return (
        outcome.blame == Blame.MACHINE
        and not outcome.came_up
        and not outcome.unwanted
        and outcome.machines < MACHINES_MAX
        and now - outcome.first_started_at <= WITHIN
    )


def proposed(price_hour_microusd: int) -> int:
    """Return the most an hour of the next best machine may cost, for a form to begin with."""
    return price_hour_microusd + price_hour_microusd * DEARER_PPM // 1_000_000
