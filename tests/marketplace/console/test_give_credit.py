"""Staff give credit once, within bounds, to nobody who works here, and say why."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.console.actions.ban import WorksHere
from marketplace.console.actions.give_credit import (
    CREDIT_ONCE_MAX,
    DAYS_MAX,
    CreditGivenBefore,
    CreditOutOfBounds,
    CreditTooOften,
    KeyMalformed,
    give_credit,
)
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.staff import NotYourRole, OwnCase, Staff
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.post import CauseReused
from marketplace.metering.actions.audit_money import audit_money
from marketplace.notices.models import Notice
from marketplace.oversight.models import Act
from tests.marketplace.scene import after
from tests.marketplace.staffed import NOBODY, hired, sure
from tests.marketplace.teams import team_of


def credit(
    by: Staff,
    user_id: int,
    amount: int = 5_000_000,
    days: int = 30,
    key: str = "k",
    *,
    second: float = 0,
) -> None:
    give_credit(
        by=by,
        user_id=user_id,
        amount_microusd=MicroUsd(amount),
        days=days,
        reason="It was\nour fault.",
        request_key=key,
        now=after(second),
    )


def test_credit_is_given_once_and_they_read_why(by: Staff, alice: User) -> None:
    credit(by, alice.pk)
    with pytest.raises(CreditGivenBefore):
        credit(by, alice.pk)
    assert ledger.balance(alice.pk) == 5_000_000
    act = Act.objects.get()
    assert (act.kind, act.person, act.reason) == ("credit", alice, "It was our fault.")
    assert act.after == {"credit": "$5.00", "until": "31 Mar 2026, 12:00 UTC"}
    assert "It was our fault." in Notice.objects.get(kind="credit_given").text
    with pytest.raises(CauseReused):
        credit(by, alice.pk, 6_000_000)
    credit(by, alice.pk, key="other")
    assert ledger.balance(alice.pk) == 10_000_000
    assert audit_money(now=after(1)).problems == []


def test_credit_is_bounded_and_for_others(by: Staff, alice: User) -> None:
    for amount, days in ((0, 1), (-1, 1), (CREDIT_ONCE_MAX + 1, 1), (1, 0), (1, DAYS_MAX + 1)):
        with pytest.raises(CreditOutOfBounds):
            credit(by, alice.pk, amount, days)
    for key in ("", "a b", "a:b", "x" * 65):
        with pytest.raises(KeyMalformed):
            credit(by, alice.pk, key=key)
    with pytest.raises(OwnCase):
        credit(by, by.user_id)
    with pytest.raises(NobodyThere):
        credit(by, NOBODY)
    with pytest.raises(NotYourRole):
        credit(hired(Role.SUPPORT), alice.pk)
    assert not Act.objects.exists()
    credit(by, alice.pk, CREDIT_ONCE_MAX, DAYS_MAX)


def test_credit_of_one_giver_in_a_day_and_of_one_receiver_in_a_month_is_bounded(
    by: Staff, alice: User, bob: User, charlie: User
) -> None:
    most, day_s, month_s = CREDIT_ONCE_MAX, 86_400, 30 * 86_400
    credit(by, alice.pk, most, key="1")
    credit(by, bob.pk, most, key="2")
    with pytest.raises(CreditTooOften, match=r"in 24 hours here: \$0\.00 is left"):
        credit(by, charlie.pk, 1, key="3", second=day_s - 1)
    other = hired(Role.FINANCE)
    credit(other, alice.pk, most - 5, key="4")
    # Whoever gives, and however many days lie between.
    for giver in (by, other):
        with pytest.raises(CreditTooOften, match=r"in 30 days here: \$0\.000005 is left"):
            credit(giver, alice.pk, 6, key="5", second=month_s - 1)
    credit(by, alice.pk, 5, key="5", second=month_s - 1)
    credit(by, alice.pk, most, key="6", second=month_s)
    assert audit_money(now=after(month_s)).problems == []


def test_who_works_here_is_given_no_credit_by_others_who_do(by: Staff) -> None:
    colleague = hired(Role.SUPPORT)
    root = User.objects.create_superuser("root@berth.example")
    theirs = team_of(User.objects.get(pk=colleague.user_id), after(0))
    for user_id in (colleague.user_id, root.pk, theirs.pk):
        with pytest.raises(WorksHere):
            credit(by, user_id)
    assert not Act.objects.exists()


def test_credit_is_read_before_it_is_given(as_finance: Client, alice: User) -> None:
    path = f"/console/people/{alice.pk}/credit"
    sent = {"amount": "2.50", "days": "10", "reason": "Sorry", "request_key": "a"}
    before, done = sure(as_finance, path, sent)
    assert "can spend $2.50 for 10 days" in before
    assert "It is theirs" in done
    assert ledger.balance(alice.pk) == 2_500_000
    again = as_finance.post(path, sent | {"sure": "yes"}, follow=True).content.decode()
    assert "given before" in again
    assert "It is theirs, and" not in again
    for wrong in ({"amount": "x"}, {"amount": "9999"}, {"days": "0"}, {"reason": " "}):
        assert as_finance.post(path, sent | wrong).status_code == 302
    for key in ("", "two words"):
        sent_so = sent | {"request_key": key, "sure": "yes"}
        refused = as_finance.post(path, sent_so, follow=True).content.decode()
        assert "This form is not whole" in refused
    assert Act.objects.count() == 1
    assert ledger.balance(alice.pk) == 2_500_000
    assert as_finance.post(f"/console/people/{NOBODY}/credit", sent).status_code == 404
