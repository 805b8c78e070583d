"""A disputed payment's money is set aside, and goes where the bank decides."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold
from marketplace.ledger.actions.post import InsufficientFunds
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account
from marketplace.notices.models import Notice
from marketplace.oversight.models import Act
from marketplace.payments.actions.settle_dispute import freeze_more, look, tend_disputes
from marketplace.payments.actions.tell_operator import tell_disputes
from marketplace.payments.actions.top_up import CardsBarred, top_up
from marketplace.payments.models import Difference, Dispute, Payer, TopUp
from scripts.stripe_stand_in.payments import WANTS_CONFIRMATION, Stripe

SaveCard = Callable[..., Payer]
TEN = MicroUsd(10_000_000)


@pytest.fixture
def paid(alice: User, with_card: SaveCard, now: datetime) -> TopUp:
    with_card(alice)
    return top_up(user_id=alice.pk, amount_microusd=TEN, cause="t1", now=now)


def spend(user: User, amount: int, now: datetime) -> None:
    hold.place(user_id=user.pk, amount_microusd=MicroUsd(amount), cause=f"rent-{amount}", now=now)


def balance_of(kind: AccountKind) -> int:
    found = Account.objects.filter(kind=kind).first()
    return found.balance_microusd if found else 0


def test_what_is_disputed_can_start_no_rental(
    alice: User, paid: TopUp, stripe: Stripe, give: Callable[..., None], now: datetime
) -> None:
    give(alice, 5_000_000)
    name = stripe.open_dispute(paid.reference)
    for _ in range(3):
        look(name, now=now)
    assert (ledger.balance(alice.pk), ledger.frozen(alice.pk)) == (5_000_000, TEN)
    with pytest.raises(InsufficientFunds):
        spend(alice, 5_000_001, now)
    spend(alice, 5_000_000, now)
    assert next(line.kind for line in ledger.statement(alice.pk)) == "freeze"
    assert audit() == []


def test_the_operator_is_written_to_of_each_new_dispute_once(
    alice: User, paid: TopUp, stripe: Stripe, settings: Settings, now: datetime
) -> None:
    look(stripe.open_dispute(paid.reference), now=now)
    assert (tell_disputes(now=now), mail.outbox) == (0, [])
    settings.OPERATOR_EMAILS = ["operator@example.com"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    # What could not be sent is tried again.
    assert tell_disputes(now=now) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert [tell_disputes(now=now) for _ in range(2)] == [1, 0]
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (
        ["operator@example.com"],
        "A payment of $10.00 is disputed",
    )
    assert f"manage.py dispute_evidence {_name()}" in letter.body


def test_a_won_dispute_gives_it_back(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    look(stripe.open_dispute(paid.reference), now=now)
    stripe.close_dispute(_name(), "won")
    for _ in range(2):
        look(_name(), now=now)
    assert (ledger.balance(alice.pk), ledger.frozen(alice.pk)) == (TEN, 0)
    assert (Dispute.objects.get().state, balance_of(AccountKind.OUTSIDE)) == ("won", -TEN)
    titles = list(Notice.objects.order_by("pk").values_list("title", flat=True))
    assert [title.rpartition(": ")[2] for title in titles] == ["opened", "won"]
    assert audit() == []


def test_a_lost_one_takes_what_was_set_aside(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    look(stripe.open_dispute(paid.reference), now=now)
    stripe.close_dispute(_name(), "lost")
    for _ in range(2):
        look(_name(), now=now)
    assert (ledger.balance(alice.pk), ledger.frozen(alice.pk)) == (0, 0)
    assert (balance_of(AccountKind.OUTSIDE), balance_of(AccountKind.FEES)) == (0, 0)
    assert Payer.objects.get().barred_at is None
    assert audit() == []


def test_what_is_spent_of_a_lost_one_is_the_sites_loss_and_bars_the_cards(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime
) -> None:
    spend(alice, 7_000_000, now)
    look(stripe.open_dispute(paid.reference), now=now)
    assert ledger.frozen(alice.pk) == 3_000_000
    stripe.close_dispute(_name(), "lost")
    for _ in range(2):
        look(_name(), now=now)
    assert (balance_of(AccountKind.FEES), balance_of(AccountKind.OUTSIDE)) == (-7_000_000, 0)
    assert Dispute.objects.get().borne_microusd == 7_000_000
    assert ledger.held(alice.pk) == 7_000_000
    with pytest.raises(CardsBarred, match="Write to the site's operator"):
        top_up(user_id=alice.pk, amount_microusd=TEN, cause="t2", now=now)
    assert audit() == []
    call_command("let_pay", alice.email)
    assert top_up(user_id=alice.pk, amount_microusd=TEN, cause="t2", now=now).state == "paid"
    with pytest.raises(CommandError):
        call_command("let_pay", alice.email)


def test_what_comes_in_later_is_set_aside_too(
    alice: User, paid: TopUp, stripe: Stripe, give: Callable[..., None], now: datetime
) -> None:
    spend(alice, 7_000_000, now)
    look(stripe.open_dispute(paid.reference), now=now)
    give(alice, 2_000_000)
    assert [freeze_more(now=now) for _ in range(2)] == [1, 0]
    give(alice, 6_000_000)
    freeze_more(now=now)
    assert (ledger.balance(alice.pk), ledger.frozen(alice.pk)) == (1_000_000, TEN)
    stripe.close_dispute(_name(), "lost")
    assert tend_disputes(now=now + timedelta(hours=1)) == 1
    assert (ledger.balance(alice.pk), balance_of(AccountKind.FEES)) == (1_000_000, 0)
    assert audit() == []


@pytest.mark.parametrize(("settled", "state", "balance"), [(-1000, "lost", 0), (0, "won", TEN)])
def test_a_dispute_that_was_prevented_went_where_the_money_did(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime, settled: int, state: str, balance: int
) -> None:
    name = stripe.open_dispute(paid.reference)
    stripe.close_dispute(name, "prevented")
    stripe.get("dispute", name).balance_transactions[0].amount = settled
    look(name, now=now)
    assert (Dispute.objects.get().state, ledger.balance(alice.pk)) == (state, balance)


@pytest.mark.parametrize(("amount", "currency"), [(1001, "usd"), (1000, "eur")])
def test_a_dispute_that_does_not_fit_moves_nothing_and_is_told(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime, amount: int, currency: str
) -> None:
    name = stripe.open_dispute(paid.reference, amount=amount, currency=currency)
    for _ in range(2):
        assert look(name, now=now) is None
    assert (ledger.balance(alice.pk), Dispute.objects.count()) == (TEN, 0)
    assert [row.reference for row in Difference.objects.all()] == [name]


def test_a_dispute_that_is_told_before_its_payment_waits_for_it(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    with_card(alice, WANTS_CONFIRMATION)
    waiting = top_up(user_id=alice.pk, amount_microusd=TEN, cause="t1", now=now)
    stripe.confirm(waiting.reference)
    look(stripe.open_dispute(waiting.reference), now=now)
    assert (ledger.balance(alice.pk), ledger.frozen(alice.pk)) == (0, TEN)


def test_the_evidence_names_payment_person_and_usage(
    alice: User, paid: TopUp, stripe: Stripe, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    look(stripe.open_dispute(paid.reference), now=now)
    call_command("dispute_evidence", _name())
    text = capsys.readouterr().out
    for part in (
        paid.reference,
        alice.email,
        "visa 4242",
        "$10.00",
        "fraudulent",
        "Answer by 2026",
    ):
        assert part in text
    with pytest.raises(CommandError):
        call_command("dispute_evidence", "dp_none")
    act = Act.objects.get()
    assert (act.kind, act.subject, act.person) == ("read-evidence", f"dispute {_name()}", alice)


def _name() -> str:
    return Dispute.objects.get().pk
