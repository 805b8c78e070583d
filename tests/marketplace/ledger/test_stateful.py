"""Whatever people do, in whatever order: the ledger sums to zero and nobody owes."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from marketplace.accounts.models import User
from marketplace.domain.ledger import NEVER_NEGATIVE, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.ledger import queries
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.actions.grant_credit import expire_credit, grant_credit
from marketplace.ledger.actions.post import post
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, Transfer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AMOUNTS = st.integers(1, 1000).map(MicroUsd)
PEOPLE = st.integers(0, 2)
#: few, so that causes are met again with the same and with other content
CAUSES = st.integers(0, 30)


def left_in(hold_id: UUID) -> int:
    return Account.objects.get(hold=hold_id).balance_microusd


class Ledger(RuleBasedStateMachine):
    """Three people do everything that the ledger offers, and the machine keeps its own books."""

    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.people = list(User.objects.order_by("pk").values_list("pk", flat=True))
        self.paid_in = 0
        self.now = NOW

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.before)

    @rule(person=PEOPLE, amount=AMOUNTS, cause=CAUSES)
    def pay_in(self, person: int, amount: MicroUsd, cause: int) -> None:
        known = Transfer.objects.filter(cause=f"in:{cause}").exists()
        try:
            post(
                debit=open_account.outside(),
                credit=open_account.wallet(user_id=self.people[person]),
                amount_microusd=amount,
                kind=TransferKind.TOP_UP,
                cause=f"in:{cause}",
                now=self.now,
            )
        except Refused:
            assert known
        else:
            self.paid_in += 0 if known else amount

    @rule(target=holds, person=PEOPLE, amount=AMOUNTS, cause=CAUSES)
    def place(self, person: int, amount: MicroUsd, cause: int) -> UUID | None:
        credit = self.credit_of(person)
        before = credit + self.wallet_of(person)
        try:
            placed = hold.place(
                user_id=self.people[person],
                amount_microusd=amount,
                cause=f"h:{cause}",
                now=self.now,
            )
        except hold.InsufficientFunds:
            assert before < amount
            return None
        except Refused:
            return None
        taken = credit - self.credit_of(person)
        # The same cause again takes nothing.
        assert taken in (min(credit, amount), 0)
        return placed.pk

    @rule(held=holds, host=PEOPLE, amount=AMOUNTS, cause=CAUSES, fee=st.integers(0, 1000))
    def charge(self, held: UUID | None, host: int, amount: MicroUsd, cause: int, fee: int) -> None:
        if held is None:
            return
        before = left_in(held)
        try:
            hold.capture(
                hold_id=held,
                amount_microusd=amount,
                host_user_id=self.people[host],
                machine_id=NO_MACHINE,
                fee_microusd=MicroUsd(fee % (amount + 1)),
                cause=f"c:{cause}",
                now=self.now,
            )
        except Refused:
            assert left_in(held) == before
        else:
            assert left_in(held) in (before - amount, before)

    @rule(held=holds, amount=AMOUNTS, cause=CAUSES)
    def increase(self, held: UUID | None, amount: MicroUsd, cause: int) -> None:
        if held is None:
            return
        before = left_in(held)
        try:
            hold.increase(hold_id=held, amount_microusd=amount, cause=f"m:{cause}", now=self.now)
        except Refused:
            assert left_in(held) == before

    @rule(person=PEOPLE, amount=AMOUNTS, cause=CAUSES, days=st.integers(0, 9))
    def grant(self, person: int, amount: MicroUsd, cause: int, days: int) -> None:
        with suppress(Refused):
            grant_credit(
                user_id=self.people[person],
                amount_microusd=amount,
                expires_at=self.now + timedelta(days=days),
                cause=f"g:{cause}",
                now=self.now,
            )

    @rule(days=st.integers(1, 5))
    def let_time_pass(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule()
    def expire(self) -> None:
        expire_credit(now=self.now)
        for person in range(3):
            account = open_account.credit(user_id=self.people[person])
            assert account.balance_microusd == self.credit_of(person)

    @rule(held=holds)
    def release(self, held: UUID | None) -> None:
        if held is None:
            return
        hold.release(hold_id=held, cause=f"r:{held}", now=self.now)
        assert left_in(held) == 0

    def credit_of(self, person: int) -> int:
        """Return what the person may spend of credit now."""
        return sum(one.left_microusd for one in queries.credit(self.people[person], now=self.now))

    def wallet_of(self, person: int) -> int:
        return open_account.wallet(user_id=self.people[person]).balance_microusd

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert audit() == []

    @invariant()
    def nobody_owes(self) -> None:
        for account in Account.objects.filter(kind__in=NEVER_NEGATIVE):
            assert account.balance_microusd >= 0

    @invariant()
    def what_came_in_is_still_somewhere(self) -> None:
        inside = sum(
            account.balance_microusd for account in Account.objects.exclude(kind="outside")
        )
        assert inside == self.paid_in

    @invariant()
    def every_statement_adds_up(self) -> None:
        for person in self.people:
            lines = queries.statement(person)
            have = queries.balance(person) + queries.held(person)
            assert sum(line.amount_microusd for line in lines) == have


@pytest.mark.usefixtures("alice", "bob", "charlie")
def test_any_order_of_events_keeps_the_books_straight() -> None:
    # The rules are the same on both; PostgreSQL adds its own constraints, which a few orders meet.
    examples = 12 if connection.vendor == "sqlite" else 4
    run_state_machine_as_test(
        Ledger, settings=settings(max_examples=examples, stateful_step_count=30)
    )
