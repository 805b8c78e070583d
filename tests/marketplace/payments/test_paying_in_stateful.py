"""Whatever people, banks and the line to Stripe do: no cent is lost, doubled or made up.

Every web hook that Stripe ever sent may come at any moment, in any order, any number of times, and
the passes run between. In the end, with everything told, our books and Stripe's say the same.
"""

import contextlib
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account
from marketplace.payments import queries as payments
from marketplace.payments.actions import save_card
from marketplace.payments.actions.process_events import process_events
from marketplace.payments.actions.receive_event import receive_event
from marketplace.payments.actions.reconcile import reconcile
from marketplace.payments.actions.refund import refund, settle_refunds
from marketplace.payments.actions.settle_dispute import freeze_more, tend_disputes
from marketplace.payments.actions.settle_pending import settle_pending
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import Difference, Dispute, Payer, TopUp, WebhookEvent
from scripts.stripe_stand_in.payments import DECLINED_LATER, VISA, WANTS_CONFIRMATION, Stripe
from tests.marketplace.payments.test_card_events import signed

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PICK = st.integers(0, 1000)
CARDS = st.sampled_from([VISA, VISA, WANTS_CONFIRMATION, DECLINED_LATER])


class PayingIn(RuleBasedStateMachine):
    """Two people with cards, a bank, and a line that fails."""

    stripe: Stripe

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.now = START
        self.stripe.clear(at=START.timestamp())
        self.people = list(User.objects.order_by("pk"))
        self.number = 0
        for number, person in enumerate(self.people):
            save_card.card_page(user_id=person.pk)
            self.save(number, VISA)
            self.deliver_all()
            self.pay(number, 3000, 1)

    def teardown(self) -> None:
        self.settle_all()
        transaction.savepoint_rollback(self.before)

    @rule(person=PICK, card=CARDS)
    def save(self, person: int, card: str) -> None:
        payer = Payer.objects.get(user=self.people[person % 2])
        self.stripe.at += 1
        self.stripe.save_card(payer.customer, card)

    @rule(person=PICK, cents=st.integers(100, 3000), known=PICK)
    def pay(self, person: int, cents: int, known: int) -> None:
        self.number += 1
        cause = f"t{self.number if known % 3 else known % 7}"
        with contextlib.suppress(Refused):
            top_up(
                user_id=self.people[person % 2].pk,
                amount_microusd=MicroUsd(cents * 10_000),
                cause=cause,
                now=self.now,
            )

    @rule(pick=PICK, success=st.booleans())
    def confirm(self, pick: int, success: bool) -> None:
        open_ = [each for each in self.stripe.all("payment_intent") if each.next_action]
        if open_:
            self.stripe.confirm(open_[pick % len(open_)].id, success=success)

    @rule(person=PICK, cents=st.integers(1, 3000))
    def spend(self, person: int, cents: int) -> None:
        self.number += 1
        amount = MicroUsd(cents * 10_000)
        user_id = self.people[person % 2].pk
        with contextlib.suppress(Refused):
            hold.place(
                user_id=user_id, amount_microusd=amount, cause=f"h{self.number}", now=self.now
            )

    @rule(pick=PICK, cents=st.integers(1, 3000))
    def send_back(self, pick: int, cents: int) -> None:
        self.number += 1
        paid = list(TopUp.objects.filter(state="paid").order_by("created_at", "pk"))
        if paid:
            chosen = paid[pick % len(paid)]
            amount = MicroUsd(cents * 10_000)
            with contextlib.suppress(Refused):
                refund(
                    top_up_id=chosen.pk,
                    amount_microusd=amount,
                    note="n",
                    cause=f"r{self.number}",
                    now=self.now,
                    begun=repr,
                )

    @rule(pick=PICK)
    def a_refund_bounces(self, pick: int) -> None:
        sent = [each for each in self.stripe.all("refund") if each.status == "succeeded"]
        if sent:
            self.stripe.do(self.stripe.fail_refund, sent[pick % len(sent)].id)

    @rule(pick=PICK)
    def dispute(self, pick: int) -> None:
        disputed = {each.payment_intent for each in self.stripe.all("dispute")}
        returned = {each.payment_intent for each in self.stripe.all("refund")}
        paid = [
            each.id
            for each in self.stripe.all("payment_intent")
            if each.status == "succeeded" and each.id not in disputed | returned
        ]
        if paid:
            self.stripe.open_dispute(paid[pick % len(paid)])

    @rule(pick=PICK, status=st.sampled_from(["won", "lost"]))
    def decide(self, pick: int, status: str) -> None:
        open_ = [each for each in self.stripe.all("dispute") if each.status == "needs_response"]
        if open_:
            self.stripe.close_dispute(open_[pick % len(open_)].id, status)

    @rule(lost=st.integers(0, 2))
    def answers_are_lost(self, lost: int) -> None:
        self.stripe.answers_lost = lost

    @rule(person=PICK, cents=st.integers(100, 3000))
    def pay_while_the_line_is_down(self, person: int, cents: int) -> None:
        self.stripe.is_down = True
        self.pay(person, cents, 1)
        self.send_back(person, cents)
        self.run_passes()
        self.stripe.is_down = False

    @precondition(lambda self: self.stripe.hooks)
    @rule(picks=st.lists(PICK, min_size=1, max_size=5))
    def hooks_come_in_any_order(self, picks: list[int]) -> None:
        for pick in picks:
            self.deliver(self.stripe.hooks[pick % len(self.stripe.hooks)][0])

    @rule()
    def passes_run(self) -> None:
        self.run_passes()

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.stripe.at = self.now.timestamp()

    @invariant()
    def books_are_right(self) -> None:
        assert audit() == []
        assert self.stripe.faults == []
        assert not Difference.objects.exists(), list(Difference.objects.values_list("detail"))
        for paid in TopUp.objects.filter(refunds__isnull=False).distinct():
            assert payments.refunded(paid) <= paid.amount_microusd
        set_aside = sum(Dispute.objects.values_list("frozen_microusd", flat=True))
        assert set_aside == sum(ledger.frozen(each.pk) for each in self.people)

    def deliver(self, body: bytes) -> None:
        receive_event(payload=body, signature=signed(body, self.now), now=self.now)

    def deliver_all(self) -> None:
        for body, _ in self.stripe.told():
            self.deliver(body)
        process_events(now=self.now)

    def run_passes(self) -> None:
        process_events(now=self.now)
        settle_pending(now=self.now)
        settle_refunds(now=self.now)
        tend_disputes(now=self.now)
        freeze_more(now=self.now)

    def settle_all(self) -> None:
        """Have everything told and decided; then what came to Stripe is what is here."""
        self.stripe.is_down, self.stripe.answers_lost = False, 0
        self.deliver_all()
        for _ in range(8):
            self.now += timedelta(hours=12)
            self.stripe.at = self.now.timestamp()
            self.run_passes()
            reconcile(now=self.now)
        self.books_are_right()
        assert not WebhookEvent.objects.filter(processed_at=None).exists()
        assert not TopUp.objects.filter(state="pending").exists()
        there = sum(line.amount for line in self.stripe.all("balance_transaction")) * 10_000
        frozen = sum(Dispute.objects.filter(state="open").values_list("amount_microusd", flat=True))
        outside = Account.objects.filter(kind=AccountKind.OUTSIDE).first()
        # An open dispute's money is out at Stripe already; here it is set aside.
        assert there == (-outside.balance_microusd if outside else 0) - frozen
        fees = Account.objects.filter(kind=AccountKind.FEES).first()
        people = sum(
            ledger.balance(each.pk) + ledger.held(each.pk) + ledger.frozen(each.pk)
            for each in self.people
        )
        assert people + (fees.balance_microusd if fees else 0) == there + frozen


def test_no_order_of_anything_loses_or_makes_a_cent(stripe: Stripe, alice: User, bob: User) -> None:
    PayingIn.stripe = stripe
    with transaction.atomic():
        run_state_machine_as_test(
            PayingIn, settings=of_hypothesis(max_examples=6, stateful_step_count=30)
        )
    assert connection.vendor
