"""Unspent money goes back to its card: never more than was paid, never more than is there."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.actions.post import CauseReused
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account
from marketplace.notices.models import Notice
from marketplace.payments.actions.refund import RefundRefused, refund, settle_refunds
from marketplace.payments.actions.settle_dispute import look
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import Payer, Refund, TopUp
from scripts.stripe_stand_in.payments import Stripe

SaveCard = Callable[..., Payer]
TEN = MicroUsd(10_000_000)


@pytest.fixture
def paid(alice: User, with_card: SaveCard, now: datetime) -> TopUp:
    with_card(alice)
    return top_up(user_id=alice.pk, amount_microusd=TEN, cause="t1", now=now)


def send_back(paid: TopUp, dollars: float, now: datetime, *, cause: str = "r1") -> Refund:
    amount = MicroUsd(int(dollars * 1_000_000))
    return refund(
        top_up_id=paid.pk, amount_microusd=amount, note="asked", cause=cause, now=now, begun=repr
    )


def test_money_goes_back_to_its_card_once(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    first, second = (send_back(paid, 4, now) for _ in range(2))
    assert (first.pk, first.state) == (second.pk, "done")
    assert [made.amount for made in stripe.all("refund")] == [400]
    assert ledger.balance(alice.pk) == 6_000_000
    assert Account.objects.get(kind=AccountKind.OUTSIDE).balance_microusd == -6_000_000
    assert Notice.objects.get().title == "$4.00 goes back to your card"
    with pytest.raises(CauseReused):
        send_back(paid, 5, now)
    assert audit() == []


@pytest.mark.parametrize("dollars", [10.01, 0, -1, 10**6, 0.005, 10**12])
def test_what_was_not_paid_does_not_go_back(paid: TopUp, now: datetime, dollars: float) -> None:
    with pytest.raises(RefundRefused, match=r"At most \$10\.00 can go back"):
        send_back(paid, dollars, now)
    assert not Refund.objects.exists()


def test_what_is_spent_or_set_aside_does_not_go_back(
    alice: User, paid: TopUp, now: datetime
) -> None:
    hold.place(user_id=alice.pk, amount_microusd=MicroUsd(7_005_000), cause="rental", now=now)
    with pytest.raises(RefundRefused, match=r"At most \$2\.99"):
        send_back(paid, 3, now)
    send_back(paid, 2.99, now)
    with pytest.raises(RefundRefused, match=r"At most \$0\.00"):
        send_back(paid, 0.01, now, cause="r2")


def test_credit_does_not_go_to_a_card(alice: User, paid: TopUp, now: datetime) -> None:
    hold.place(user_id=alice.pk, amount_microusd=MicroUsd(7_000_000), cause="h", now=now)
    grant_credit(
        user_id=alice.pk,
        amount_microusd=MicroUsd(5_000_000),
        expires_at=now + timedelta(days=1),
        cause="welcome",
        now=now,
    )
    with pytest.raises(RefundRefused, match=r"At most \$3\.00"):
        send_back(paid, 4, now)


def test_what_is_disputed_does_not_go_back_too(paid: TopUp, stripe: Stripe, now: datetime) -> None:
    look(stripe.open_dispute(paid.reference), now=now)
    with pytest.raises(RefundRefused, match=r"At most \$0\.00"):
        send_back(paid, 1, now)


def test_a_lost_answer_sends_it_once(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    stripe.answers_lost = 1
    assert send_back(paid, 4, now).state == "pending"
    assert ledger.balance(alice.pk) == 6_000_000
    # Days later Stripe has forgotten the key; what was sent is found by its name.
    stripe.answered.clear()
    assert settle_refunds(now=now + timedelta(days=2)) == 1
    assert len(stripe.all("refund")) == 1
    assert Refund.objects.get().state == "done"


def test_a_refund_that_fails_days_later_is_in_the_wallet_again(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    from marketplace.payments.actions.refund import ask

    sent = send_back(paid, 4, now)
    stripe.get("refund", sent.reference).status = "failed"
    for _ in range(3):
        assert ask(Refund.objects.get(), now=now).state == "failed"
    assert ledger.balance(alice.pk) == TEN
    assert audit() == []


def test_test_money_does_not_go_to_a_card(alice: User, paid: TopUp, now: datetime) -> None:
    TopUp.objects.update(gateway="test")
    with pytest.raises(RefundRefused, match="did not come from a card"):
        send_back(paid, 1, now)


def test_refunds_at_once_give_back_no_more_than_was_paid(
    transactional_db: None,
    alice: User,
    paid: TopUp,
    at_once: Callable[..., list[object]],
    now: datetime,
) -> None:
    calls = [lambda n=n: send_back(paid, 4, now, cause=f"r{n}").state for n in range(4)]
    outcomes = [str(outcome) for outcome in at_once(calls)]
    assert outcomes.count("done") == 2
    assert ledger.balance(alice.pk) == 2_000_000
    assert audit() == []


def test_the_operator_sends_it_by_a_command(
    alice: User, paid: TopUp, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("refund", paid.reference, "2.50", note="kind")
    assert capsys.readouterr().out == "Refund of $2.50: done.\n"
    for name, amount in ((str(paid.pk), "9"), ("pi_none", "1"), (str(paid.pk), "NaN")):
        with pytest.raises(CommandError):
            call_command("refund", name, amount, note="kind")
    assert ledger.balance(alice.pk) == 7_500_000
