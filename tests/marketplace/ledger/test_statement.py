"""A statement says what happened to a person's money and ends at what they have."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.models import Account, Transfer

Give = Callable[[User, int], None]
#: 109,999 more charges like the one of the second 0
COPY_LONG = """
WITH RECURSIVE second(number) AS
    (SELECT 1 UNION ALL SELECT number + 1 FROM second WHERE number < 109999)
INSERT INTO ledger_transfer (debit_id, credit_id, amount_microusd, kind, cause, note, at)
SELECT debit_id, credit_id, amount_microusd, kind, 'long:' || number, note, at
FROM ledger_transfer, second WHERE cause = 'long:0'
"""


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
            machine_id=NO_MACHINE,
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


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        (("debian:12 at $9 an hour", "debian:12 at $9 an hour"), "debian:12 at $9 an hour"),
        (("debian:12 at $9 an hour", "debian:12 at $10 an hour"), "debian:12 at several prices"),
        (("debian:12 at $9 an hour", "alpine:3 at $9 an hour"), "Several images"),
    ],
)
def test_a_line_names_a_price_only_where_all_of_it_cost_that(
    alice: User, charlie: User, give: Give, now: datetime, notes: tuple[str, str], told: str
) -> None:
    give(alice, 1_000_000)
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1_000_000), cause="r1", now=now)
    for note in notes:
        hold.capture(
            hold_id=placed.pk,
            amount_microusd=MicroUsd(100_000),
            host_user_id=charlie.pk,
            machine_id=NO_MACHINE,
            fee_microusd=MicroUsd(10_000),
            cause=f"r1:{note}:{len(Transfer.objects.all())}",
            note=note,
            now=now,
        )
    assert queries.statement(alice.pk)[0].note == told


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


@pytest.fixture
def rented_both(alice: User, charlie: User, give: Give, now: datetime) -> None:
    """Alice's two rentals are charged in turn, once a minute, while she pays in between."""
    give(alice, 6_000_000)
    holds = [
        hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1_000_000), cause=name, now=now)
        for name in ("r1", "r2")
    ]
    for part in range(6):
        if part == 3:
            give(alice, 4_000_000)
        for placed in holds[: 2 if part < 5 else 1]:
            hold.capture(
                hold_id=placed.pk,
                amount_microusd=MicroUsd(100_000),
                host_user_id=charlie.pk,
                machine_id=NO_MACHINE,
                fee_microusd=MicroUsd(10_000),
                cause=f"{placed.cause}:{part}",
                note=f"Rental {placed.cause}",
                now=now + timedelta(minutes=part),
            )


def test_each_of_two_rentals_at_once_is_one_line_from_its_first_charge_to_its_newest(
    alice: User, rented_both: None, now: datetime
) -> None:
    lines = queries.statement(alice.pk)
    assert [
        (line.note, line.amount_microusd, line.total_microusd, line.transfers) for line in lines
    ] == [
        ("Rental r1", -600_000, 8_900_000, 12),
        ("Rental r2", -500_000, 9_500_000, 10),
        ("", 4_000_000, 10_000_000, 1),
        ("", 6_000_000, 6_000_000, 1),
    ]
    assert (lines[0].since, lines[0].at) == (now, now + timedelta(minutes=5))


def test_a_host_sees_one_line_a_rental(charlie: User, rented_both: None) -> None:
    lines = queries.statement(charlie.pk, kinds=queries.EARNINGS)
    assert [(line.note, line.amount_microusd, line.total_microusd) for line in lines] == [
        ("Rental r1", 540_000, 990_000),
        ("Rental r2", 450_000, 450_000),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_its_pages_are_the_whole(alice: User, rented_both: None, limit: int) -> None:
    page = queries.funds(alice.pk, limit)
    lines = [*page.lines]
    while page.older is not None:
        page = queries.funds(alice.pk, limit, before=page.older)
        assert (page.balance_microusd, page.held_microusd) == (8_000_000, 900_000)
        assert page.lines
        lines += page.lines
    assert tuple(lines) == queries.statement(alice.pk)


def test_six_days_of_a_rental_hide_no_top_up(
    alice: User, charlie: User, rented: None, now: datetime
) -> None:
    """As many charges as six days make, posted at once."""
    held = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(900_000), cause="long", now=now)
    earnings = open_account.earnings(user_id=charlie.pk)
    first = {"debit": held.account, "credit": earnings, "amount_microusd": 1, "at": now}
    Transfer.objects.create(kind="charge", cause="long:0", **first)
    with connection.cursor() as cursor:
        cursor.execute(COPY_LONG)
    assert Transfer.objects.filter(cause__startswith="long:").count() == 110_000
    for account, column in ((held.account, "debits_posted"), (earnings, "credits_posted")):
        Account.objects.filter(pk=account.pk).update(**{column: F(column) + 110_000})
    lines = queries.statement(alice.pk)
    assert [(line.kind, line.amount_microusd) for line in lines] == [
        ("charge", -110_000),
        ("charge", -300_000),
        ("top_up", 4_000_000),
        ("top_up", 6_000_000),
    ]


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
