"""Earnings are summed by day and machine, and each month's statement adds up to the balance."""

import csv
from collections.abc import Callable
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from berth.hosting import Earnings, Payouts
from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.post import post
from marketplace.ledger.models import EarnedDay
from marketplace.oversight.models import Act
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts import statements
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from marketplace.payouts.earned import Earned, Summary, earned
from marketplace.payouts.models import HostDetails
from marketplace.payouts.outlook import outlook
from scripts.stripe_stand_in.connect import Connect, Refusal
from tests.marketplace.payouts.conftest import USD, Earn, Host, day
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import after

GONE = Refusal(403, "account_invalid", "That account does not exist.")


@pytest.fixture
def moved(host: Host, gateway: StripeConnect, processor: Connect, earn: Earn, alice: User) -> Host:
    """In February $60 earned and $10 of it given back; in March $30 earned, and two payouts.

    The one of $44 came back, the one of $71 a week later went.
    """
    earn(host.user, 60, at=day(-20))
    post(
        debit=open_account.earnings(user_id=host.user.pk),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(10 * USD),
        kind=TransferKind.REFUND,
        cause="credit:1",
        now=day(-19),
    )
    earn(host.user, 30, at=day(-4))
    processor.refusals = [GONE]
    for days in (0, 7):
        open_payouts(now=day(days), gateway=gateway)
        send_payouts(now=day(days), gateway=gateway)
    return host


def test_the_months_follow_each_other_and_end_with_the_balance(moved: Host) -> None:
    assert statements.months(moved.user.pk, now=day(8)) == ("2026-03", "2026-02")
    february, march = (
        statements.statement(moved.user.pk, month, now=day(8)) for month in ("2026-02", "2026-03")
    )
    assert (february.opening_microusd, february.closing_microusd) == (0, 50 * USD)
    assert february.moved.given_back_microusd == 10 * USD
    assert march.opening_microusd == february.closing_microusd
    assert march.moved.earned_microusd == 30 * USD
    assert march.moved.paid_out_microusd == 71 * USD
    assert march.closing_microusd == ledger.earned(moved.user.pk) == 9 * USD
    assert [payout.state for payout in march.payouts] == ["failed", "sent"]


def test_the_table_adds_up_to_its_last_line(moved: Host) -> None:
    for month in ("2026-02", "2026-03"):
        found = statements.statement(moved.user.pk, month, now=day(8))
        lines = list(statements.rows(found))[1:]
        amounts = [round(float(line[-1]) * USD) for line in lines]
        assert sum(amounts[:-1]) == amounts[-1] == found.closing_microusd


@pytest.mark.parametrize(
    "month", ["2026-04", "2026-13", "2026-3", "0000-01", "x", "9999-12", "2999-12"]
)
def test_a_month_without_a_statement_is_unknown(moved: Host, month: str) -> None:
    with pytest.raises(statements.MonthUnknown):
        statements.statement(moved.user.pk, month, now=day(8))


def test_what_a_machine_earned_is_told_by_day_with_the_fee(
    charlie: User, alice: User, give: Callable[..., None]
) -> None:
    market = Market.open(charlie)
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice, now=after(0))
    market.run(rental, at=after(1))
    market.look(at=after(61))
    market.agent.sync(after(61))
    told = market.agent.observed(rental.placement_id, "running", run=1, age_ms=60_000)
    signed = [market.agent.count(rental.placement_id, 0, 60_000)]
    market.agent.sync(after(61), placements=[told], intervals=signed)
    market.end(rental, at=after(200))
    balance = ledger.earned(charlie.pk)
    assert balance > 0
    summary = earned(charlie.pk, now=after(300))
    assert list(summary.by_machine) == [market.machine.id]
    assert summary.total.today_microusd == summary.total.month_microusd == balance
    assert sum(summary.by_day.values()) == balance
    later = earned(charlie.pk, now=after(300 + 8 * 86_400)).total
    assert (later.today_microusd, later.week_microusd, later.month_microusd) == (0, 0, balance)
    (line,) = statements.statement(charlie.pk, "2026-03", now=after(300)).days
    assert (line.machine_id, line.microusd) == (market.machine.id, balance)
    assert line.fee_microusd * 19 == balance


def test_what_is_looked_at_is_days_and_never_all_transfers(
    charlie: User, alice: User, give: Callable[..., None]
) -> None:
    give(alice, 10_000_000)
    held = hold.place(
        user_id=alice.pk, amount_microusd=MicroUsd(5_000_000), cause="held", now=after(0)
    )
    machines = [UUID(int=number) for number in range(1, 4)]

    def charge(count: int) -> None:
        for number in range(count):
            at = after(86_400 * (number % 3))
            hold.capture(
                hold_id=held.pk,
                amount_microusd=MicroUsd(1000),
                fee_microusd=MicroUsd(50),
                host_user_id=charlie.pk,
                machine_id=machines[number % 2],
                cause=f"charge {number} of {count}",
                now=at,
            )

    def look() -> tuple[Summary, str]:
        now = after(3 * 86_400)
        with CaptureQueriesContext(connection) as asked:
            found = earned(charlie.pk, now=now)
            outlook(charlie.pk, now=now)
        return found, "\n".join(query["sql"] for query in asked.captured_queries)

    charge(6)
    found, asked = look()
    assert "ledger_transfer" not in asked
    # The same cause again moves nothing and counts nothing.
    charge(6)
    assert look()[0] == found
    assert found.total == Earned(0, 6 * 950, 6 * 950)
    charge(12)
    later = look()[0]
    assert set(later.by_machine) == set(machines[:2])
    assert sum(one.month_microusd for one in later.by_machine.values()) == 18 * 950
    assert EarnedDay.objects.count() == 6
    march = statements.statement(charlie.pk, "2026-03", now=after(3 * 86_400))
    assert march.moved.fee_microusd == 18 * 50
    assert march.closing_microusd == ledger.earned(charlie.pk) == 18 * 950


def test_the_operator_gets_every_host_of_a_year_with_the_whole_number(moved: Host) -> None:
    out = StringIO()
    call_command("host_taxes", "--year", "2026", stdout=out)
    (line,) = csv.DictReader(StringIO(out.getvalue()))
    assert (line["legal_name"], line["tax_id"]) == ("Charlie Chandler", "123456789")
    assert (line["earned_usd"], line["paid_out_usd"]) == ("90.000000", "71.000000")
    with pytest.raises(CommandError, match="is no year"):
        call_command("host_taxes", "--year", "26")
    assert Act.objects.values_list("kind", "subject").get() == ("read-host-taxes", "hosts of 2026")


def test_a_name_is_never_a_formula(moved: Host) -> None:
    HostDetails.objects.update(legal_name="=HYPERLINK(1)")
    out = StringIO()
    call_command("host_taxes", "--year", "2026", stdout=out)
    assert "'=HYPERLINK(1)" in out.getvalue()


def test_bob_sees_nothing_of_it_over_the_api(
    moved: Host, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: day(8))
    for user, balance, payouts in ((moved.user, 9 * USD, 2), (bob, 0, 0)):
        headers = {
            "Authorization": f"Bearer {issue(user_id=user.pk, name='test', now=day(8)).secret}"
        }
        answers = [
            Client().get(f"/api/v1/host/{path}", headers=headers).json()
            for path in ("earnings", "payouts", "statements/2026-03")
        ]
        assert Earnings.model_validate(answers[0]).balance_microusd == balance
        assert len(answers[0]["days"]) == 30
        assert len(Payouts.model_validate(answers[1]).items) == payouts
        assert answers[2]["closing_microusd"] == balance
    unknown = Client().get("/api/v1/host/statements/2026-99", headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
