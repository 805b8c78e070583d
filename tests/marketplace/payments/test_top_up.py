"""A payment adds money once, or says why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.post import CauseReused
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account
from marketplace.payments.actions.settle_pending import settle_pending
from marketplace.payments.actions.top_up import TopUpAmountRefused, settle, top_up
from marketplace.payments.configured_gateway import PaymentsUnavailable
from marketplace.payments.gateway import Answer, GatewayUnreachable, Outcome, Payment
from marketplace.payments.models import TopUp
from marketplace.payments.test_gateway import DECLINED_MICROUSD, TestGateway
from tests.marketplace.broken import break_row

AtOnce = Callable[[Sequence[Callable[[], object]]], list[object]]
FIVE = MicroUsd(5_000_000)


@dataclass
class CardGateway:
    """A card processor that answers what the test says; None: it does not answer."""

    answers: list[Outcome | None]
    asked: list[UUID] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    name: str = "card"
    source: AccountKind = AccountKind.OUTSIDE
    kind: TransferKind = TransferKind.TOP_UP

    needs_card: bool = False

    def charge(self, payment: Payment) -> Answer:
        self.asked.append(payment.top_up_id)
        return self._answer(payment.top_up_id)

    def cancel(self, payment: Payment) -> Answer:
        self.cancelled.append(payment.top_up_id)
        return self._answer(payment.top_up_id)

    def _answer(self, top_up_id: UUID) -> Answer:
        outcome = self.answers.pop(0)
        if outcome is None:
            raise GatewayUnreachable
        return Answer(outcome, f"card-{top_up_id}")


def balance_of(kind: AccountKind) -> int:
    return Account.objects.get(kind=kind).balance_microusd


def test_the_test_gateway_gives_play_money_at_once(alice: User, now: datetime) -> None:
    paid = top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now)
    assert (paid.state, paid.gateway, paid.settled_at) == ("paid", "test", now)
    assert ledger.balance(alice.pk) == FIVE
    assert balance_of(AccountKind.PROMO) == -FIVE
    assert not Account.objects.filter(kind=AccountKind.OUTSIDE).exists()
    assert [line.kind for line in ledger.statement(alice.pk)] == ["test_credit"]
    assert audit() == []


def test_asking_twice_pays_once(alice: User, now: datetime) -> None:
    first, second = (
        top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now) for _ in range(2)
    )
    assert first.pk == second.pk
    assert ledger.balance(alice.pk) == FIVE


def test_a_cause_cannot_stand_for_another_payment(alice: User, bob: User, now: datetime) -> None:
    top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now)
    with pytest.raises(CauseReused):
        top_up(user_id=alice.pk, amount_microusd=MicroUsd(FIVE + 10_000), cause="t1", now=now)
    with pytest.raises(CauseReused):
        top_up(user_id=bob.pk, amount_microusd=FIVE, cause="t1", now=now)
    assert ledger.balance(bob.pk) == 0


def test_a_declined_payment_adds_nothing_and_says_so(alice: User, now: datetime) -> None:
    refused = top_up(user_id=alice.pk, amount_microusd=DECLINED_MICROUSD, cause="t1", now=now)
    assert (refused.state, refused.reason) == ("refused", "The test card was declined.")
    assert ledger.balance(alice.pk) == 0


@pytest.mark.parametrize("amount", [-1, 0, 999_999, 1_005_000, 10_000_010_000, 10**12, 10**18])
def test_an_amount_outside_the_limits_is_refused(alice: User, now: datetime, amount: int) -> None:
    with pytest.raises(TopUpAmountRefused, match=r"between \$1\.00 and \$10,000\.00"):
        top_up(user_id=alice.pk, amount_microusd=MicroUsd(amount), cause="t1", now=now)
    assert not TopUp.objects.exists()


def test_real_money_comes_from_outside(alice: User, now: datetime) -> None:
    gateway = CardGateway([Outcome.PAID])
    top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now, gateway=gateway)
    assert balance_of(AccountKind.OUTSIDE) == -FIVE


def test_a_payment_whose_answer_was_lost_goes_on_under_the_same_id(
    alice: User, now: datetime
) -> None:
    gateway = CardGateway([None, Outcome.PAID])
    states = [
        top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now, gateway=gateway).state
        for _ in range(3)
    ]
    assert states == ["pending", "paid", "paid"]
    assert len(gateway.asked) == 2
    assert len(set(gateway.asked)) == 1
    assert ledger.balance(alice.pk) == FIVE


def test_a_slow_payment_is_settled_later_and_once(alice: User, now: datetime) -> None:
    gateway = CardGateway([Outcome.PENDING])
    waiting = top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now, gateway=gateway)
    assert (waiting.state, ledger.balance(alice.pk)) == ("pending", 0)
    answer = Answer(Outcome.PAID, waiting.reference)
    for hour in (1, 2):
        settled = settle(
            top_up_id=waiting.pk, answer=answer, gateway=gateway, now=now + timedelta(hours=hour)
        )
    assert (settled.state, settled.settled_at) == ("paid", now + timedelta(hours=1))
    assert ledger.balance(alice.pk) == FIVE


def test_a_refusal_after_the_payment_changes_nothing(alice: User, now: datetime) -> None:
    paid = top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now)
    answer = Answer(Outcome.REFUSED, "late")
    assert settle(top_up_id=paid.pk, answer=answer, gateway=TestGateway(), now=now).state == "paid"
    assert ledger.balance(alice.pk) == FIVE


def test_a_site_without_a_gateway_takes_no_money(
    alice: User, now: datetime, settings: Settings
) -> None:
    settings.TEST_PAYMENTS = False
    with pytest.raises(PaymentsUnavailable):
        top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now)


@pytest.mark.django_db(transaction=True)
def test_many_clicks_at_once_pay_once(
    transactional_db: None, alice: User, at_once: AtOnce, now: datetime
) -> None:
    outcomes = at_once(
        [lambda: top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now).state] * 8
    )
    assert set(outcomes) <= {"paid", "pending"}
    assert ledger.balance(alice.pk) == FIVE
    assert audit() == []


def test_money_that_came_after_the_refusal_is_its_payers_once(alice: User, now: datetime) -> None:
    refused = top_up(user_id=alice.pk, amount_microusd=DECLINED_MICROUSD, cause="t1", now=now)
    answer = Answer(Outcome.PAID, "late")
    for _ in range(2):
        late = settle(top_up_id=refused.pk, answer=answer, gateway=TestGateway(), now=now)
    assert (late.state, ledger.balance(alice.pk)) == ("paid", DECLINED_MICROUSD)


def pending(user: User, gateway: CardGateway, now: datetime, *, cause: str = "t1") -> TopUp:
    """Return a payment whose answer was lost."""
    gateway.answers.insert(0, None)
    return top_up(user_id=user.pk, amount_microusd=FIVE, cause=cause, now=now, gateway=gateway)


def test_a_lost_answer_is_fetched_without_anybody_asking(alice: User, now: datetime) -> None:
    gateway = CardGateway([Outcome.PAID])
    waiting = pending(alice, gateway, now)
    assert settle_pending(now=now + timedelta(seconds=60), gateway=gateway) == 0
    assert settle_pending(now=now + timedelta(seconds=61), gateway=gateway) == 1
    assert settle_pending(now=now + timedelta(seconds=62), gateway=gateway) == 0
    assert gateway.asked == [waiting.pk] * 2
    assert ledger.balance(alice.pk) == FIVE
    assert audit() == []


@pytest.mark.parametrize(
    ("outcome", "state", "balance"),
    [(Outcome.REFUSED, "refused", 0), (Outcome.PAID, "paid", FIVE), (None, "pending", 0)],
)
def test_after_a_day_the_gateway_is_told_to_take_nothing_any_more(
    alice: User, now: datetime, outcome: Outcome | None, state: str, balance: int
) -> None:
    gateway = CardGateway([outcome])
    waiting = pending(alice, gateway, now)
    settle_pending(now=now + timedelta(hours=24, seconds=1), gateway=gateway)
    waiting.refresh_from_db()
    assert (waiting.state, ledger.balance(alice.pk)) == (state, balance)
    assert (len(gateway.asked), gateway.cancelled) == (1, [waiting.pk])


def test_a_payment_that_cannot_be_settled_holds_up_no_other(
    alice: User, bob: User, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = CardGateway([Outcome.PAID, Outcome.PAID])
    broken = pending(alice, gateway, now)
    pending(bob, gateway, now + timedelta(seconds=1), cause="t2")
    break_row(broken)
    assert settle_pending(now=now + timedelta(minutes=2), gateway=gateway) == 1
    assert (ledger.balance(alice.pk), ledger.balance(bob.pk)) == (0, FIVE)
    assert "Top-up not settled" in caplog.messages


def test_the_test_gateway_finishes_what_a_crash_left(alice: User, now: datetime) -> None:
    left = {"user": alice, "amount_microusd": FIVE, "gateway": "test"}
    for cause, age in (("crashed", timedelta(minutes=2)), ("forgotten", timedelta(days=2))):
        TopUp.objects.create(**left, cause=cause, created_at=now - age, ask_at=now - age)
    assert settle_pending(now=now) == 2
    states = dict(TopUp.objects.values_list("cause", "state"))
    assert states == {"crashed": "paid", "forgotten": "refused"}
    assert ledger.balance(alice.pk) == FIVE
