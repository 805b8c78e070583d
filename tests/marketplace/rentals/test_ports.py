"""Ports of a machine are counted before it is asked: a renter is refused, never by the machine."""

from collections.abc import Callable

import pytest

from marketplace.accounts.models import User
from marketplace.domain.matching import ExceedsMachine, OfferTaken
from marketplace.ledger.models import Hold
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement
from marketplace.rentals.actions import change, end
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import after


@pytest.fixture
def market(charlie: User, alice: User, give: Callable[..., None]) -> Market:
    """A machine that told of five ports."""
    give(alice, 50_000_000)
    give_key(alice)
    made = Market.open(charlie)
    made.agent.sync(after(0), ports=5)
    return made


def test_a_machine_has_as_many_ports_as_it_told_last(market: Market) -> None:
    assert Machine.objects.get().ports_total == 5
    market.agent.sync(after(1), ports=7)
    market.agent.sync(after(2))
    assert Machine.objects.get().ports_total == 7


def test_one_that_told_nothing_has_its_whole_range(charlie: User) -> None:
    assert Market.open(charlie).machine.ports_total == 101


def test_more_ports_than_the_machine_has_are_refused_and_nothing_is_held(
    market: Market, alice: User
) -> None:
    with pytest.raises(ExceedsMachine, match="needs 6 ports and this machine gives out 5"):
        market.rent(alice, ports=(1, 2, 3, 4, 5))
    assert not Placement.objects.exists()
    assert not Hold.objects.exists()


def test_ports_of_others_are_taken_until_nothing_is_left_of_them(
    market: Market, alice: User
) -> None:
    first = market.rent(alice, ports=(80, 81))
    with pytest.raises(OfferTaken, match="needs 3 ports and this machine has 2 left"):
        market.rent(alice, ports=(80, 81))
    market.rent(alice, ports=(80,))
    end.end(rental_id=first.id, renter_id=alice.pk, now=after(1))
    with pytest.raises(OfferTaken, match="has 0 left"):
        market.rent(alice)
    gone = market.agent.observed(first.placement_id, ObservedState.GONE)
    market.agent.sync(after(2), placements=[gone])
    market.rent(alice, ports=(80, 81))


def test_a_change_has_its_old_ports_and_its_new_ones_until_it_is_made(
    market: Market, alice: User
) -> None:
    rental = market.rent(alice, ports=(80, 81))
    market.run(rental, at=after(1))
    who = {"rental_id": rental.id, "renter_id": alice.pk}
    with pytest.raises(ExceedsMachine, match="needs 6 ports"):
        change.change(**who, parts={"ports": (90, 91, 92)})
    change.change(**who, parts={"ports": (80, 90)})
    with pytest.raises(OfferTaken, match="needs 2 ports and this machine has 1 left"):
        market.rent(alice, ports=(80,))
    market.rent(alice)
