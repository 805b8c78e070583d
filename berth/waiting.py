"""This will follow a rental until it is where it should be."""

from collections.abc import Callable

from berth.client import Client
from berth.exchange import Clock
from berth.problem import Refused
from berth.shapes import Rental

POLL_S = 0.5


def wait(
    client: Client,
    rental: Rental,
    *,
    until: Callable[[Rental], bool],
    timeout_s: float,
    clock: Clock,
    saw: Callable[[Rental], None],
) -> Rental:
    """Return the rental once ``until`` holds for it, or for the one that took its place.

    ``saw`` hears of every look.

    :raises Refused: ``rental_failed`` or ``rental_ended`` when that can no longer happen,
        ``wait_timed_out`` after ``timeout_s``. The rental itself goes on.
    """
    deadline = clock.monotonic() + timeout_s
    while True:
        saw(rental)
        if until(rental):
            return rental
        if rental.over and rental.failover and rental.failover.successor_id:
            # It did not come up, and another machine took it over as was agreed.
            rental = client.rental(rental.failover.successor_id)
            continue
        if rental.over and (rental.failover is None or rental.failover.settled):
            sentence = (
                f"Rental {rental.id} has {rental.state}: {rental.reason or 'no reason given'}"
            )
            raise Refused(f"rental_{rental.state}", sentence)
        if clock.monotonic() >= deadline:
            sentence = (
                f"Rental {rental.id} is still {rental.state} after {timeout_s:g} s. It goes on: "
                f"see berth ps, or end it with berth end {rental.id}."
            )
            raise Refused("wait_timed_out", sentence)
        clock.sleep(POLL_S)
        rental = client.rental(rental.id)
