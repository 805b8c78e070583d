"""Passes that count the same proof while charges, rents and an end go on give back once."""

from collections.abc import Callable
from datetime import datetime

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.actions.post import post
from marketplace.metering.actions.audit_money import audit_money
from marketplace.metering.actions.charge import charge_all
from marketplace.rentals.actions import end
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.models import RentalProof
from tests.concurrency.conftest import Race
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import LISTED, deliver, measure, passed, read
from tests.marketplace.scene import after


def test_a_proof_counted_twice_amid_other_money_gives_back_once(race: Race) -> None:
    alice, charlie = (User.objects.create_user(f"{name}@example.com") for name in ("a", "c"))
    market = Market.open(charlie)
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(10_000_000),
        kind=TransferKind.TOP_UP,
        cause="gift",
        now=after(0),
    )
    grant_credit(
        user_id=alice.pk,
        amount_microusd=MicroUsd(50_000),
        expires_at=after(86_400),
        cause="credit",
        now=after(0),
    )
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    read(rental, until=101)
    measure(rental, second=101, rate=LISTED * 7 // 10)
    proof = passed(rental, second=101, rate=LISTED * 7 // 10)

    def place(cause: str) -> Callable[[], object]:
        return lambda: hold.place(
            user_id=alice.pk, amount_microusd=MicroUsd(1000), cause=cause, now=now
        )

    now: datetime = after(101)
    outcomes = race(
        [
            *(lambda: count_proofs(now=now) for _ in range(2)),
            *(lambda: charge_all(now=now) for _ in range(2)),
            *(place(str(number)) for number in range(3)),
            lambda: end.end(rental_id=rental.id, renter_id=alice.pk, now=now),
        ]
    )
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    proof = RentalProof.objects.get(id=proof.id)
    assert (proof.effect, proof.returned_microusd) == ("less", 30_000)
    assert audit_money(now=now).problems == []
