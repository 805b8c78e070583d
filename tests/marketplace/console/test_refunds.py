"""Finance sends unspent money back to its card, once, and the log keeps who did."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.core.management import call_command
from django.test import Client

from marketplace.accounts.models import User
from marketplace.console.actions.send_refund import PaymentUnknown, send_refund
from marketplace.console.staff import NotYourRole, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.ledger import queries as ledger
from marketplace.ledger.audit import audit
from marketplace.oversight.models import Act
from marketplace.payments.actions.refund import RefundRefused
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import Payer, Refund, TopUp
from tests.marketplace.staffed import staff

TEN = MicroUsd(10_000_000)


@pytest.fixture
def paid(alice: User, with_card: Callable[..., Payer], now: datetime) -> TopUp:
    with_card(alice)
    return top_up(user_id=alice.pk, amount_microusd=TEN, cause="t1", now=now)


def test_finance_sends_money_back_once_and_the_renter_reads_it(
    as_finance: Client, alice: User, paid: TopUp
) -> None:
    path = f"/console/payments/{paid.pk}/"
    page = as_finance.get(path)
    assert page.context["most"] == "$10.00"
    key = page.context["form"]["request_key"].value()
    sent = {"amount": "4", "reason": "did not like it", "request_key": key}
    for _ in range(2):
        assert as_finance.post(path, sent).status_code == 302
    assert ledger.balance(alice.pk) == 6_000_000
    refund = Refund.objects.get()
    assert (refund.state, refund.note) == ("done", "did not like it")
    act = Act.objects.get()
    assert (act.kind, act.person, act.by_name) == ("refund", alice, "finance@berth.example")
    assert act.after == {"sent back": "$4.00"}
    assert "-$4.00" in as_finance.get(path).content.decode()
    assert audit() == []


@pytest.mark.parametrize(
    "sent", [{"amount": "10.01"}, {"amount": "0.001"}, {"amount": "-1"}, {"reason": " "}, {}]
)
def test_a_refused_refund_moves_nothing_and_is_no_act(
    as_finance: Client, alice: User, paid: TopUp, sent: dict[str, str]
) -> None:
    whole = {"amount": "1", "reason": "why", "request_key": "k"} | sent if sent else {}
    reply = as_finance.post(f"/console/payments/{paid.pk}/", whole or {"reason": ""})
    assert reply.status_code == 422
    assert ledger.balance(alice.pk) == TEN
    assert not Act.objects.exists()
    assert not Refund.objects.exists()


def test_support_sees_the_payment_and_sends_nothing(
    as_support: Client, alice: User, paid: TopUp, now: datetime
) -> None:
    path = f"/console/payments/{paid.pk}/"
    assert b'id="refund"' not in as_support.get(path).content
    sent = {"amount": "1", "reason": "x", "request_key": "k"}
    assert as_support.post(path, sent).status_code == 403
    by = as_staff(staff("one", Role.SUPPORT))
    assert by is not None
    with pytest.raises(NotYourRole):
        send_refund(
            by=by,
            top_up_id=paid.pk,
            amount_microusd=TEN,
            reason="x",
            request_key="k",
            now=now,
        )
    assert ledger.balance(alice.pk) == TEN


def test_another_persons_key_is_another_refund(
    by: Staff, paid: TopUp, now: datetime, as_finance: Client
) -> None:
    half = MicroUsd(5_000_000)
    for who in (by, as_staff(User.objects.get(email="finance@berth.example"))):
        assert who is not None
        send_refund(
            by=who,
            top_up_id=paid.pk,
            amount_microusd=half,
            reason="half",
            request_key="k",
            now=now,
        )
    assert Refund.objects.count() == Act.objects.count() == 2


def test_a_refund_without_a_reason_or_a_payment_is_refused(
    by: Staff, paid: TopUp, now: datetime
) -> None:
    asked = {"by": by, "amount_microusd": TEN, "request_key": "k", "now": now}
    with pytest.raises(ReasonUnfit):
        send_refund(top_up_id=paid.pk, reason=" ", **asked)  # type: ignore[arg-type]
    with pytest.raises(PaymentUnknown):
        send_refund(top_up_id=by_other_id(paid), reason="x", **asked)  # type: ignore[arg-type]
    assert not Act.objects.exists()


def by_other_id(paid: TopUp) -> object:
    return paid.pk.__class__(int=paid.pk.int ^ 1)


def test_what_fails_after_the_act_takes_it_back(
    by: Staff, alice: User, paid: TopUp, now: datetime
) -> None:
    with pytest.raises(RefundRefused):
        send_refund(
            by=by,
            top_up_id=paid.pk,
            amount_microusd=MicroUsd(11_000_000),
            reason="x",
            request_key="k",
            now=now,
        )
    assert not Act.objects.exists()
    assert ledger.balance(alice.pk) == TEN


def test_a_payment_of_play_money_shows_no_form(as_finance: Client, paid: TopUp) -> None:
    TopUp.objects.update(gateway="test")
    page = as_finance.get(f"/console/payments/{paid.pk}/")
    assert page.context["form"] is None
    assert page.context["most"] == "$0.00"


def test_a_payment_that_is_not_there_is_not_shown(as_finance: Client, paid: TopUp) -> None:
    assert as_finance.get(f"/console/payments/{by_other_id(paid)}/").status_code == 404


def test_the_command_is_in_the_log_too(paid: TopUp) -> None:
    call_command("refund", paid.reference, "2.50", note="kind")
    act = Act.objects.get()
    assert (act.kind, act.by, act.reason) == ("refund", None, "kind")
    assert act.by_name.startswith("command refund (")
