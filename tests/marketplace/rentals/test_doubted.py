"""A proof that no validator bears out gives next to nothing back, until one has looked."""

from collections.abc import Callable

import pytest

from marketplace.accounts.models import User
from marketplace.domain.delivered import SPEAKS_FOR, Effect
from marketplace.domain.money import PPM
from marketplace.domain.placement import PlacementState
from marketplace.ledger import queries as ledger
from marketplace.metering.actions.audit_money import audit_money
from marketplace.rentals import bills
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.models import Rental, RentalProof
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import LISTED, deliver, measure, passed, read
from tests.marketplace.scene import after

WEEK_S = int(SPEAKS_FOR.total_seconds())


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    """It costs $0.001 a second; it runs at second 0 and its door is seen at second 1."""
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    return rental


def prove(market: Market, rental: Rental, *, second: int, share: float) -> RentalProof:
    """Have a proof in it show so much; only its renter says so."""
    deliver(market, rental, second=second)
    read(rental, until=second)
    proof = passed(rental, second=second, rate=int(LISTED * share))
    assert count_proofs(now=after(second)) == 1
    assert count_proofs(now=after(second)) == 0
    return now(proof)


def now(proof: RentalProof) -> RentalProof:
    proof.refresh_from_db()
    return proof


def well() -> None:
    assert audit_money(now=after(0)).problems == []


def test_who_always_says_that_less_is_delivered_gains_a_hundredth(
    market: Market, rental: Rental, alice: User
) -> None:
    given = [
        prove(market, rental, second=100 * number + 1, share=0.5).returned_microusd
        for number in range(1, 6)
    ]
    # Each 100 s cost $0.1, so each time a hundredth of that more is believed.
    assert given == [1_000] * 5
    rental.refresh_from_db()
    assert (rental.delivered_ppm, rental.delivered_until) == (PPM, None)
    assert ledger.balance(alice.pk) == 10_000_000 - 3_600_000 + 5_000
    # Nothing was charged since, so nothing more is believed.
    assert prove(market, rental, second=501, share=0.5).returned_microusd == 0
    well()


@pytest.mark.parametrize(("share", "back"), [(0.7, 30_000), (0.8, 20_000), (0.6, 30_000)])
def test_once_a_validator_finds_less_too_the_whole_difference_comes_back(
    market: Market, rental: Rental, share: float, back: int
) -> None:
    proof = prove(market, rental, second=101, share=0.7)
    assert (proof.effect, proof.returned_microusd) == (Effect.UNCONFIRMED, 1_000)
    again = prove(market, rental, second=101, share=0.7)
    assert (again.effect, again.returned_microusd) == (Effect.UNCONFIRMED, 0)
    measure(rental, second=151, rate=int(LISTED * share))
    # What the newest says holds for those before it, which speak of the same time.
    assert count_proofs(now=after(151)) == 2
    assert count_proofs(now=after(151)) == 0
    assert {now(one).effect for one in (proof, again)} == {Effect.LESS}
    assert proof.returned_microusd + again.returned_microusd == back
    rental.refresh_from_db()
    # Where the validator found more than the proof, that counts.
    assert rental.delivered_ppm == max(700_000, int(share * PPM))
    deliver(market, rental, second=201)
    (_, lower) = bills.periods(rental.meter)
    assert (lower.reason, lower.ms // 1000) == ("delivered_less", 100)
    well()


def test_where_a_validator_finds_what_was_listed_nothing_more_comes_back(
    market: Market, rental: Rental
) -> None:
    proof = prove(market, rental, second=101, share=0.7)
    measure(rental, second=151, rate=LISTED * 9 // 10)
    assert count_proofs(now=after(151)) == 1
    assert count_proofs(now=after(151)) == 0
    assert (now(proof).effect, proof.returned_microusd) == (Effect.DISPUTED, 1_000)
    # It looked within a day before the next proof, too.
    later = prove(market, rental, second=201, share=0.3)
    assert (later.effect, later.returned_microusd) == (Effect.DISPUTED, 0)
    rental.placement.refresh_from_db()
    assert rental.placement.state == PlacementState.RUNNING
    rental.refresh_from_db()
    assert rental.delivered_ppm == PPM
    well()


def test_less_than_half_stops_it_whoever_bears_it_out(market: Market, rental: Rental) -> None:
    proof = prove(market, rental, second=101, share=0.3)
    assert (proof.effect, proof.returned_microusd) == (Effect.UNCONFIRMED, 1_000)
    rental.placement.refresh_from_db()
    assert rental.placement.state == PlacementState.STOPPING
    # What is free of its machine can be measured then.
    measure(rental, second=151, rate=LISTED * 3 // 10)
    assert count_proofs(now=after(151)) == 1
    assert (now(proof).effect, proof.returned_microusd) == (Effect.BROKEN, 50_000)
    well()


@pytest.mark.parametrize(("more_s", "effect"), [(-1, Effect.LESS), (0, Effect.UNCONFIRMED)])
def test_a_validator_has_a_week_to_look(
    market: Market, rental: Rental, more_s: int, effect: Effect
) -> None:
    proof = prove(market, rental, second=101, share=0.7)
    measure(rental, second=101 + WEEK_S + more_s, rate=LISTED // 2)
    count_proofs(now=after(101 + WEEK_S + more_s))
    assert now(proof).effect == effect


def test_a_later_proof_that_counts_leaves_nothing_undecided(market: Market, rental: Rental) -> None:
    proof = prove(market, rental, second=101, share=0.7)
    assert prove(market, rental, second=201, share=0.95).effect == Effect.ENOUGH
    measure(rental, second=251, rate=LISTED // 2)
    assert count_proofs(now=after(251)) == 0
    assert (now(proof).effect, proof.returned_microusd) == (Effect.UNCONFIRMED, 1_000)
    well()


def test_looks_before_it_was_rented_bear_nothing_out_and_contradict_nothing(
    market: Market, rental: Rental
) -> None:
    # The one by which it was listed came as it began.
    assert prove(market, rental, second=101, share=0.7).effect == Effect.UNCONFIRMED
