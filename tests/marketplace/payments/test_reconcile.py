"""Stripe's own books and ours agree, or the operator is told what does not."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.payments.actions.reconcile import reconcile
from marketplace.payments.actions.refund import refund
from marketplace.payments.actions.settle_dispute import look
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import Difference, Dispute, Payer, Reconciliation, Refund, TopUp
from scripts.stripe_stand_in.payments import WANTS_CONFIRMATION, Stripe

SaveCard = Callable[..., Payer]
TEN = MicroUsd(10_000_000)
DAY = timedelta(days=1)


@pytest.fixture
def paid(alice: User, with_card: SaveCard, stripe: Stripe, now: datetime) -> TopUp:
    with_card(alice)
    return top_up(user_id=alice.pk, amount_microusd=TEN, cause="t1", now=now)


def differences() -> list[tuple[str, str]]:
    return [(row.kind, row.detail) for row in Difference.objects.order_by("pk")]


def test_books_that_agree_are_read_once_a_day(paid: TopUp, stripe: Stripe, now: datetime) -> None:
    refund(
        top_up_id=paid.pk,
        amount_microusd=MicroUsd(TEN // 2),
        note="n",
        cause="r",
        now=now,
        begun=repr,
    )
    stripe.at += 60
    look(stripe.open_dispute(paid.reference, amount=100), now=now)
    assert reconcile(now=now + timedelta(hours=23)) is None
    first = reconcile(now=now + DAY)
    assert first is not None
    assert (first.movements, first.differences) == (3, 0)
    assert reconcile(now=now + DAY) is None
    for day in (2, 3, 4):
        assert reconcile(now=now + day * DAY) is not None
    assert differences() == []
    assert TopUp.objects.get().reconciled_at == Refund.objects.get().reconciled_at == now + DAY


def test_a_payment_that_we_never_heard_of_is_credited(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    with_card(alice, WANTS_CONFIRMATION)
    waiting = top_up(user_id=alice.pk, amount_microusd=TEN, cause="t1", now=now)
    stripe.confirm(waiting.reference)
    reconcile(now=now + DAY)
    assert (ledger.balance(alice.pk), differences()) == (TEN, [])


def test_a_dispute_that_we_never_heard_of_is_opened(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    stripe.open_dispute(paid.reference)
    reconcile(now=now + DAY)
    assert (Dispute.objects.get().state, ledger.frozen(alice.pk)) == ("open", TEN)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"reference": "pi_other"}, "payment_differs", "We know no such payment."),
        ({"amount_microusd": 9_000_000}, "payment_differs", "Here it is $9.00."),
    ],
)
def test_what_differs_is_told_once(
    paid: TopUp,
    now: datetime,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, object],
    kind: str,
    words: str,
) -> None:
    TopUp.objects.update(**change)
    reconcile(now=now + DAY)
    Reconciliation.objects.all().delete()
    reconcile(now=now + DAY)
    ((found, detail),) = differences()
    assert (found, detail.rpartition(": ")[2]) == (kind, words)
    assert [line.levelname for line in caplog.records if line.message == "books differ"] == [
        "CRITICAL"
    ]


def test_a_foreign_refund_another_currency_and_a_reversal_are_told(
    paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    refund(
        top_up_id=paid.pk,
        amount_microusd=MicroUsd(TEN // 2),
        note="n",
        cause="r",
        now=now,
        begun=repr,
    )
    Refund.objects.update(reference="re_other")
    stripe.all("balance_transaction")[0].currency = "eur"
    name = stripe.open_dispute(paid.reference, amount=100)
    stripe.close_dispute(name, "lost")
    look(name, now=now)
    stripe.close_dispute(name, "won")
    reconcile(now=now + DAY)
    assert sorted(detail.rpartition(": ")[2] for _, detail in differences()) == [
        "It is in eur.",
        "The bank gave it back, and here it is lost.",
        "We sent no such refund.",
    ]


def test_what_the_other_books_lack_is_told_after_two_days(
    paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    for line in stripe.all("balance_transaction"):
        line.type = line.reporting_category = "fee"
    for day in (1, 2, 3, 4):
        reconcile(now=now + day * DAY + timedelta(minutes=day))
    assert [kind for kind, _ in differences()] == ["topup_missing"]
    assert Reconciliation.objects.count() == 4


def test_books_that_break_off_are_read_again(paid: TopUp, stripe: Stripe, now: datetime) -> None:
    stripe.is_down = True
    assert reconcile(now=now + DAY) is None
    stripe.is_down = False
    made = reconcile(now=now + DAY)
    assert made is not None
    assert made.movements == 1


def test_a_site_without_cards_has_no_other_books(db: None, now: datetime) -> None:
    assert reconcile(now=now) is None
