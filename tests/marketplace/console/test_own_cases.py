"""Whoever works for the site and rents, hosts or pays here leaves their own cases to others."""

from collections.abc import Callable
from datetime import datetime

import pytest

from marketplace.accounts.models import User
from marketplace.console.actions.answer_appeal import answer_appeal
from marketplace.console.actions.let_pay import let_pay
from marketplace.console.actions.prove_email import prove
from marketplace.console.actions.rule import rule
from marketplace.console.actions.send_refund import send_refund
from marketplace.console.models import Ruling, StaffRole
from marketplace.console.staff import OwnCase, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.delivered import Effect
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.oversight.models import Act
from marketplace.payments.models import Payer, Refund, TopUp
from marketplace.rentals.models import Rental, RentalProof
from marketplace.verification.models import Appeal
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import LISTED, deliver, passed
from tests.marketplace.scene import after
from tests.marketplace.staffed import browser, with_app
from tests.marketplace.teams import team_of


def hired(user: User) -> Staff:
    """Return the person, who works here as admin from now on."""
    StaffRole.objects.create(user=user, role=Role.ADMIN, given_at=after(0))
    found = as_staff(user)
    assert found is not None
    return found


@pytest.fixture
def rental(alice: User, charlie: User, give: Callable[..., None]) -> Rental:
    market = Market.open(charlie)
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    return rental


@pytest.fixture
def disputed(rental: Rental) -> RentalProof:
    proof = passed(rental, second=101, rate=LISTED)
    RentalProof.objects.filter(id=proof.id).update(effect=Effect.DISPUTED)
    return proof


@pytest.mark.parametrize("who", ["alice", "charlie"])
@pytest.mark.parametrize("for_renter", [True, False])
def test_neither_renter_nor_host_settles_their_dispute(
    disputed: RentalProof, who: str, for_renter: bool
) -> None:
    by = hired(User.objects.get(email=f"{who}@example.com"))
    with pytest.raises(OwnCase):
        rule(by=by, proof_id=disputed.id, for_renter=for_renter, reason="x", now=after(200))
    assert not Ruling.objects.exists()
    assert not Act.objects.exists()


def test_a_host_answers_no_appeal_of_their_own(charlie: User, rental: Rental) -> None:
    machine_id = rental.placement.machine_id
    made = Appeal.objects.create(machine_id=machine_id, text="mended", made_at=after(1))
    by = hired(charlie)
    with pytest.raises(OwnCase):
        answer_appeal(by=by, machine_id=machine_id, granted=True, reason="x", now=after(2))
    path = f"/console/appeals/{machine_id}"
    sent = {"answer": "grant", "reason": "x"}
    page = browser(with_app(charlie)).post(path, sent, follow=True)
    assert OwnCase.sentence in page.content.decode()
    made.refresh_from_db()
    assert made.answered_at is None
    assert not Act.objects.exists()


def test_nobody_lifts_a_bar_or_proves_an_address_of_their_own(alice: User, now: datetime) -> None:
    payer = Payer.objects.create(user=alice, customer="cus_1", barred_at=now)
    by = hired(alice)
    for act in (let_pay, prove):
        with pytest.raises(OwnCase):
            act(by=by, user_id=alice.pk, reason="x", now=now)
    payer.refresh_from_db()
    assert payer.barred_at == now
    assert not Act.objects.exists()


def test_nobody_sends_a_payment_of_their_own_back(alice: User, now: datetime) -> None:
    paid = TopUp.objects.create(
        user=alice,
        amount_microusd=5_000_000,
        state="paid",
        gateway="stripe",
        reference="pi_1",
        cause="t",
        created_at=now,
        ask_at=now,
    )
    with pytest.raises(OwnCase):
        send_refund(
            by=hired(alice),
            top_up_id=paid.pk,
            amount_microusd=MicroUsd(1_000_000),
            reason="x",
            request_key="k",
            now=now,
        )
    assert not Refund.objects.exists()


def test_nobody_settles_a_dispute_of_a_team_that_they_are_in(
    alice: User, charlie: User, give: Callable[..., None]
) -> None:
    team = team_of(alice, after(0))
    market = Market.open(charlie)
    give(team, 10_000_000)
    give_key(team)
    rental = market.rent(team)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    proof = passed(rental, second=101, rate=LISTED)
    RentalProof.objects.filter(id=proof.id).update(effect=Effect.DISPUTED)
    by = hired(alice)
    for act in (
        lambda: rule(by=by, proof_id=proof.id, for_renter=True, reason="x", now=after(200)),
        lambda: let_pay(by=by, user_id=team.pk, reason="x", now=after(200)),
    ):
        with pytest.raises(OwnCase):
            act()
    assert not Act.objects.exists()
