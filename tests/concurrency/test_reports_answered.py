"""Two of the staff who answer one report, amid other money, give back once; one is told so."""

from collections.abc import Callable
from threading import Event

import pytest
from django.db import transaction

from marketplace.accounts.models import User
from marketplace.console.actions.answer_report import (
    AnsweredMeanwhile,
    credit_report,
    refuse_report,
)
from marketplace.console.staff import Staff
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.domain.rental_report import Payer, Wrong
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.ledger.audit import audit
from marketplace.metering.actions.audit_money import audit_money
from marketplace.metering.actions.charge import charge_all
from marketplace.oversight.models import Act
from marketplace.own_data.actions.delete_account import AccountInUse, delete
from marketplace.rentals.actions import end
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.actions.report import ReportAnswered, ReportOpen, report, withdraw
from marketplace.rentals.models import RentalReport
from marketplace.rentals.queries import RentalUnknown
from tests.concurrency.conftest import Race
from tests.concurrency.waiting import PATIENCE_S, until_somebody_waits
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.over import leave_nothing
from tests.marketplace.rentals.proving import LISTED, deliver, measure, passed, read
from tests.marketplace.scene import after

NOW = after(200)


def reported() -> RentalReport:
    alice, charlie = (User.objects.create_user(f"{name}@example.com") for name in ("a", "c"))
    market = Market.open(charlie)
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(10_000_000),
        kind=TransferKind.TOP_UP,
        cause="gift",
        now=after(0),
    )
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    read(rental, until=101)
    measure(rental, second=101, rate=LISTED * 7 // 10)
    passed(rental, second=101, rate=LISTED * 7 // 10)
    return report(
        rental_id=rental.id,
        renter_id=alice.pk,
        what=Wrong.HARDWARE,
        text="It was slow.",
        asked_microusd=MicroUsd(50_000),
        now=after(150),
    )


def staff(name: str) -> Staff:
    user = User.objects.create_user(f"{name}@berth.example")
    return Staff(user.pk, user.email, frozenset({Role.ADMIN}))


def crediting(by: Staff, made: RentalReport) -> Callable[[], object]:
    return lambda: credit_report(
        by=by,
        report_id=made.id,
        amount_microusd=MicroUsd(40_000),
        payer=Payer.SITE,
        host_microusd=0,
        reason="x",
        now=NOW,
    )


def test_of_two_credits_at_once_one_counts_and_a_proof_gives_back_the_rest(race: Race) -> None:
    made = reported()
    one, two, three = (staff(name) for name in ("one", "two", "three"))
    outcomes = race(
        [
            crediting(one, made),
            crediting(two, made),
            lambda: refuse_report(by=three, report_id=made.id, reason="x", now=NOW),
            lambda: count_proofs(now=NOW),
            lambda: charge_all(now=NOW),
            lambda: end.end(rental_id=made.rental_id, renter_id=made.renter_id, now=NOW),
        ]
    )
    failed = [one for one in outcomes if isinstance(one, Exception)]
    assert [type(one) for one in failed] == [AnsweredMeanwhile] * 2
    made.refresh_from_db()
    credited = 40_000 if made.state == "credited" else 0
    assert (made.credited_microusd, Act.objects.count()) == (credited, 1)
    balance = ledger.balance(made.renter_id)
    assert balance == 10_000_000 - 3_600_000 + 30_000 + credited
    assert audit_money(now=NOW).problems == []


def test_a_report_that_is_withdrawn_while_it_is_answered_is_one_of_both(race: Race) -> None:
    made = reported()
    outcomes = race(
        [
            crediting(staff("one"), made),
            lambda: withdraw(rental_id=made.rental_id, renter_id=made.renter_id, now=NOW),
        ]
    )
    made.refresh_from_db()
    credited, withdrawn = outcomes
    if made.state == "credited":
        assert (credited, type(withdrawn)) == (None, ReportAnswered)
    else:
        assert (made.state, type(credited), withdrawn) == ("withdrawn", AnsweredMeanwhile, None)
    assert audit_money(now=NOW).problems == []


def test_an_account_that_is_deleted_while_its_report_is_answered_has_no_money(race: Race) -> None:
    made = reported()
    leave_nothing(made.rental, now=NOW)
    credited, deleted = race(
        [crediting(staff("one"), made), lambda: delete(user_id=made.renter_id, now=NOW)]
    )
    made.refresh_from_db()
    if made.state == "credited":
        assert (credited, type(deleted)) == (None, AccountInUse)
        assert ledger.balance(made.renter_id) == 40_000
    else:
        assert (type(credited), deleted) == (AnsweredMeanwhile, None)
        assert (made.state, ledger.balance(made.renter_id)) == ("withdrawn", 0)
    assert audit() == []


@pytest.mark.parametrize("first", ["report", "deletion"])
def test_an_account_that_is_deleted_while_it_reports_leaves_no_open_report(
    race: Race, first: str
) -> None:
    made = reported()
    withdraw(rental_id=made.rental_id, renter_id=made.renter_id, now=NOW)
    leave_nothing(made.rental, now=NOW)
    begun = Event()

    def write() -> object:
        return report(
            rental_id=made.rental_id,
            renter_id=made.renter_id,
            what=Wrong.OTHER,
            text="It was lost.",
            asked_microusd=None,
            now=NOW,
        )

    def go() -> object:
        return delete(user_id=made.renter_id, now=NOW)

    def held() -> object:
        with transaction.atomic():
            done = write() if first == "report" else go()
            begun.set()
            until_somebody_waits()
        return done

    def next_one() -> object:
        begun.wait(PATIENCE_S)
        return go() if first == "report" else write()

    one, two = race([held, next_one])
    if first == "report":
        assert (type(one), two) == (RentalReport, None)
    else:
        assert (one, type(two)) == (None, RentalUnknown)
    kept = RentalReport.objects.values_list("state", "text")
    assert set(kept) == {("withdrawn", "")}
    assert len(kept) == (2 if first == "report" else 1)


def test_an_account_that_is_deleted_while_its_proof_is_counted_has_no_money(race: Race) -> None:
    made = reported()
    withdraw(rental_id=made.rental_id, renter_id=made.renter_id, now=NOW)
    leave_nothing(made.rental, now=NOW)
    counted, deleted = race(
        [lambda: count_proofs(now=NOW), lambda: delete(user_id=made.renter_id, now=NOW)]
    )
    assert counted == 1
    back = ledger.balance(made.renter_id)
    assert (back, type(deleted)) in {(0, type(None)), (30_000, AccountInUse)}
    assert audit() == []


def test_of_two_other_reports_at_once_one_waits(race: Race) -> None:
    made = reported()
    withdraw(rental_id=made.rental_id, renter_id=made.renter_id, now=NOW)

    def reporting(text: str) -> Callable[[], object]:
        return lambda: report(
            rental_id=made.rental_id,
            renter_id=made.renter_id,
            what=Wrong.OTHER,
            text=text,
            asked_microusd=None,
            now=NOW,
        )

    outcomes = race([reporting("a"), reporting("b"), reporting("a")])
    kept = RentalReport.objects.get(state="open")
    for text, outcome in zip("aba", outcomes, strict=True):
        assert outcome == kept if text == kept.text else isinstance(outcome, ReportOpen)
