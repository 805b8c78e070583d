"""A statement says what happened to a person's money and ends at what they have."""

import json
from collections.abc import Callable
from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries
from marketplace.ledger.actions import hold

Give = Callable[[User, int], None]


@pytest.fixture
def rented(alice: User, charlie: User, give: Give, now: datetime) -> None:
    """Alice pays in twice, rents from Charlie, is charged three times and gets the rest back."""
    give(alice, 6_000_000)
    give(alice, 4_000_000)
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1_000_000), cause="r1", now=now)
    for part in range(3):
        hold.capture(
            hold_id=placed.pk,
            amount_microusd=MicroUsd(100_000),
            host_user_id=charlie.pk,
            fee_microusd=MicroUsd(10_000),
            cause=f"r1:{part}",
            note="Rental r1",
            now=now,
        )
    hold.release(hold_id=placed.pk, cause="r1:end", now=now)


def test_a_renter_sees_what_they_paid_in_and_what_it_cost(alice: User, rented: None) -> None:
    lines = queries.statement(alice.pk)
    assert [(line.kind, line.amount_microusd, line.total_microusd) for line in lines] == [
        ("charge", -300_000, 9_700_000),
        ("top_up", 4_000_000, 10_000_000),
        ("top_up", 6_000_000, 6_000_000),
    ]
    assert queries.balance(alice.pk) + queries.held(alice.pk) == lines[0].total_microusd


def test_what_can_be_spent_and_what_is_set_aside_are_the_newest_total(
    alice: User, rented: None, now: datetime
) -> None:
    hold.place(user_id=alice.pk, amount_microusd=MicroUsd(700_000), cause="r2", now=now)
    funds = queries.funds(alice.pk)
    assert (funds.balance_microusd, funds.held_microusd) == (9_000_000, 700_000)
    assert funds.lines == queries.statement(alice.pk)
    assert funds.lines[0].total_microusd == 9_700_000
    assert sum(line.amount_microusd for line in funds.lines) == 9_700_000


def test_who_has_no_account_has_nothing(bob: User) -> None:
    assert queries.funds(bob.pk) == queries.Funds(MicroUsd(0), MicroUsd(0), ())


def test_a_host_sees_what_they_earned(charlie: User, rented: None) -> None:
    lines = queries.statement(charlie.pk, kinds=queries.EARNINGS)
    assert [(line.amount_microusd, line.note) for line in lines] == [(270_000, "Rental r1")]
    assert queries.earned(charlie.pk) == 270_000


def test_a_statement_stops_at_its_limit(alice: User, rented: None) -> None:
    assert len(queries.statement(alice.pk, 2)) == 2


def test_a_person_sees_only_their_own_money(bob: User, rented: None) -> None:
    assert queries.statement(bob.pk) == ()
    assert (queries.balance(bob.pk), queries.held(bob.pk), queries.earned(bob.pk)) == (0, 0, 0)


def test_a_statement_takes_two_queries(
    alice: User, rented: None, django_assert_num_queries: Callable[[int], object]
) -> None:
    with django_assert_num_queries(2):  # type: ignore[attr-defined]
        queries.statement(alice.pk)


def test_the_command_prints_the_statement(rented: None) -> None:
    out = StringIO()
    call_command("statement", "Alice@example.com", stdout=out)
    assert "-$0.30" in out.getvalue()
    assert "Balance $9.70, held $0.00, earned $0.00" in out.getvalue()


def test_the_command_prints_json(rented: None) -> None:
    out = StringIO()
    call_command("statement", "charlie@example.com", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert found["items"] == []
    assert [item["amount_microusd"] for item in found["earnings"]] == [270_000]
    assert found["earned_microusd"] == 270_000


def test_the_command_names_an_unknown_address(db: None) -> None:
    with pytest.raises(CommandError, match=r"nobody@example\.com"):
        call_command("statement", "nobody@example.com")
