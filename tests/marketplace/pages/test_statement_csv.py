"""A statement as a file: every transfer of one person, exact, and nothing that is computed."""

import csv
from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries, statement_csv
from marketplace.ledger.actions import hold
from marketplace.ledger.actions.count_earned import NO_MACHINE

Give = Callable[[User, int], None]
Browser = Callable[[User], Client]
NOTE = '=HYPERLINK("http://a.example")'


@pytest.fixture
def rented(alice: User, charlie: User, give: Give, now: datetime) -> None:
    """Alice paid in ten dollars, and one and a half were charged for Charlie's machine."""
    give(alice, 10_000_000)
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(2_000_000), cause="r", now=now)
    hold.capture(
        hold_id=placed.pk,
        amount_microusd=MicroUsd(1_500_000),
        host_user_id=charlie.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(100_000),
        cause="c",
        note=NOTE,
        now=now,
    )


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_funds_are_every_movement_in_order(
    alice: User, rented: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_csv, "READ_AT_ONCE", 2)
    rows = read("".join(statement_csv.lines(alice.pk, queries.FUNDS)))
    assert [(row["kind"], row["amount_usd"]) for row in rows] == [
        ("top_up", "10.000000"),
        ("charge", "-1.400000"),
        ("fee", "-0.100000"),
    ]
    assert [row["note"] for row in rows] == ["", f"'{NOTE}", f"'{NOTE}"]


def test_the_page_hands_out_funds_and_earnings(
    alice: User, charlie: User, rented: None, browser_of: Browser
) -> None:
    reply = browser_of(charlie).get("/money/statement-earnings.csv")
    assert reply["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="berth-earnings.csv"' in reply["Content-Disposition"]
    (row,) = read(reply.getvalue().decode())
    assert (row["kind"], row["amount_usd"]) == ("charge", "1.400000")
    assert b"/money/statement-earnings.csv" in browser_of(charlie).get("/money/").content
    assert browser_of(alice).get("/money/statement-others.csv").status_code == 404


def test_nobody_reads_it_without_logging_in(rented: None) -> None:
    assert Client().get("/money/statement-funds.csv").status_code == 302
    assert Client().get("/api/v1/statement.csv").status_code == 401
