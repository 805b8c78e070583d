"""Staff answer a renter's report: who pays is said before, and both sides read why."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import User
from marketplace.console import reports as queries
from marketplace.console.actions import answer_report
from marketplace.console.actions.answer_report import refuse_report
from marketplace.console.staff import NotYourRole, OwnCase, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.given_back import Shares
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.domain.rental_report import Payer, Wrong
from marketplace.ledger import queries as ledger
from marketplace.ledger.models import Hold
from marketplace.metering.occupancy import lately
from marketplace.metering.queries import earned_by_machine
from marketplace.notices.models import Notice
from marketplace.oversight.models import Act
from marketplace.rentals import bills
from marketplace.rentals.actions import report as reporting
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.models import Rental, RentalReport
from marketplace.rentals.rental_reports import ReportUnknown
from tests.marketplace.console.reported import charged_for, credit, fees, make, pay_out, said, well
from tests.marketplace.rentals.market import Market
from tests.marketplace.rentals.proving import LISTED, measure, passed, read
from tests.marketplace.scene import after
from tests.marketplace.staffed import browser, staff
from tests.marketplace.test_killed_passes import Killed, killed_before


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    return charged_for(market, alice, give)


@pytest.fixture
def report(rental: Rental) -> RentalReport:
    return make(rental)


def test_what_the_host_pays_leaves_their_earnings_and_both_read_why(
    by: Staff, alice: User, charlie: User, market: Market, rental: Rental, report: RentalReport
) -> None:
    before = ledger.balance(alice.pk)
    told = said(by, report)
    assert told.shares == Shares(MicroUsd(38_000), MicroUsd(2_000))
    assert told.earned_microusd == 95_000
    credit(by, report)
    assert ledger.balance(alice.pk) == before + 40_000
    assert (ledger.earned(charlie.pk), fees()) == (95_000 - 38_000, 5_000 - 2_000)
    report.refresh_from_db()
    assert (report.state, report.credited_microusd, report.payer, report.host_microusd) == (
        "credited",
        40_000,
        "host",
        38_000,
    )
    bill = bills.bill(Rental.objects.get(id=rental.id), now=after(200))
    assert ([one.report_id for one in bill.credited], bill.total_microusd) == ([report.id], 60_000)
    act = Act.objects.get()
    assert (act.kind, act.person, act.reason) == ("answer-report", alice, "The card was hot.")
    assert act.after["by the host"] == "$0.038"
    for user, words in ((alice, "$0.04 came back to you."), (charlie, "The card was hot.")):
        notice = Notice.objects.get(user=user, cause=f"report:{report.id}")
        assert words in notice.text
        assert "The card was hot." in notice.text
    assert "Slow, or other hardware than listed" in notice.text
    assert earned_by_machine(charlie.pk, machine_ids=[market.machine.id]) == {
        market.machine.id: 95_000 - 38_000
    }
    well(alice)


def test_what_the_site_pays_leaves_the_host_what_they_earned(
    by: Staff, alice: User, charlie: User, market: Market, rental: Rental, report: RentalReport
) -> None:
    credit(by, report, 100_000, payer=Payer.SITE, host=0)
    assert (ledger.earned(charlie.pk), fees()) == (95_000, 5_000 - 100_000)
    hold = Hold.objects.get(meter=rental.meter)
    assert (hold.returned_microusd, hold.site_returned_microusd) == (100_000, 100_000)
    assert not Notice.objects.filter(user=charlie, kind="earnings_given_back").exists()
    assert earned_by_machine(charlie.pk, machine_ids=[market.machine.id]) == {
        market.machine.id: 95_000
    }
    well(alice)


def test_what_the_host_was_paid_out_the_site_gives_and_staff_knew_it(
    by: Staff, alice: User, charlie: User, market: Market, report: RentalReport
) -> None:
    pay_out(charlie, 85_000)
    with pytest.raises(answer_report.SharesChanged):
        credit(by, report)
    report.refresh_from_db()
    assert (report.state, ledger.earned(charlie.pk)) == ("open", 10_000)
    assert not Act.objects.exists()
    credit(by, report, host=10_000)
    assert (ledger.earned(charlie.pk), fees()) == (0, 5_000 - 30_000)
    # What the site gave for them is not taken off what the machine earned.
    machine = market.machine
    assert earned_by_machine(charlie.pk, machine_ids=[machine.id]) == {machine.id: 85_000}
    found = lately([machine], host_id=charlie.pk, now=after(300))
    assert found[machine.id].earned_microusd == 85_000
    well(alice)


def test_never_more_than_was_charged_and_not_given_back(
    by: Staff, alice: User, rental: Rental, report: RentalReport
) -> None:
    for amount in (0, -1, 100_001):
        with pytest.raises(answer_report.CreditTooMuch):
            credit(by, report, amount)
    credit(by, report, 60_000, host=57_000)
    again = reporting.report(
        rental_id=rental.id,
        renter_id=alice.pk,
        what=Wrong.OTHER,
        text="And more.",
        asked_microusd=None,
        now=after(210),
    )
    with pytest.raises(answer_report.CreditTooMuch, match=r"\$0\.04"):
        credit(by, again, 40_001)
    credit(by, again, 40_000)
    well(alice)


def test_a_proof_behind_a_credit_gives_no_more_back_than_is_left(
    by: Staff, alice: User, market: Market, rental: Rental, report: RentalReport
) -> None:
    credit(by, report, 90_000, host=85_500)
    read(rental, until=101)
    measure(rental, second=101, rate=LISTED * 7 // 10)
    proof = passed(rental, second=101, rate=LISTED * 7 // 10)
    assert count_proofs(now=after(201)) == 1
    proof.refresh_from_db()
    assert (proof.effect, proof.returned_microusd) == ("less", 10_000)
    well(alice)


def test_a_report_is_answered_once(by: Staff, report: RentalReport, rental: Rental) -> None:
    refuse_report(by=by, report_id=report.id, reason="As listed.", now=after(200))
    report.refresh_from_db()
    assert (report.state, report.answer) == ("refused", "As listed.")
    notice = Notice.objects.get(kind="report_answered")
    assert notice.text == "Nothing comes back. As listed."
    with pytest.raises(answer_report.AnsweredMeanwhile):
        credit(by, report)
    with pytest.raises(answer_report.AnsweredMeanwhile):
        refuse_report(by=by, report_id=report.id, reason="x", now=after(201))
    with pytest.raises(answer_report.AnsweredMeanwhile):
        said(by, report)
    withdrawn = make(rental, "Else", 210)
    reporting.withdraw(rental_id=rental.id, renter_id=rental.renter_id, now=after(211))
    with pytest.raises(answer_report.AnsweredMeanwhile):
        credit(by, withdrawn)
    with pytest.raises(ReportUnknown):
        credit(by, RentalReport(id=uuid4()))
    assert Act.objects.count() == 1


def test_an_answer_asks_for_a_role_a_reason_and_somebody_else(
    by: Staff, alice: User, charlie: User, report: RentalReport
) -> None:
    finance = as_staff(staff("one", Role.FINANCE))
    assert finance is not None
    with pytest.raises(NotYourRole):
        credit(finance, report)
    for reason in (" ", "x" * 501):
        with pytest.raises(ReasonUnfit):
            credit(by, report, reason=reason)
    for user in (alice, charlie):
        theirs = Staff(user.pk, user.email, frozenset({Role.ADMIN}))
        with pytest.raises(OwnCase):
            credit(theirs, report)
        with pytest.raises(OwnCase):
            refuse_report(by=theirs, report_id=report.id, reason="x", now=after(200))
    report.refresh_from_db()
    assert report.state == "open"
    assert not Act.objects.exists()


def test_killed_anywhere_nothing_of_an_answer_is_there(
    by: Staff, alice: User, report: RentalReport
) -> None:
    before = ledger.balance(alice.pk)
    for number in range(200):
        try:
            with killed_before(number):
                credit(by, report)
        except Killed:
            report.refresh_from_db()
            assert (report.state, ledger.balance(alice.pk)) == ("open", before)
            assert not Act.objects.exists()
        else:
            break
    assert number > 5
    report.refresh_from_db()
    assert (report.state, ledger.balance(alice.pk)) == ("credited", before + 40_000)
    well(alice)


def test_staff_read_what_a_credit_does_before_they_give_it(
    as_support: Client, as_finance: Client, alice: User, report: RentalReport
) -> None:
    home = as_support.get("/console/").content.decode()
    path = f"/console/reports/{report.id}/"
    assert path in home
    page = as_support.get(path).content.decode()
    for words in ("It was slow.", "They ask for <strong>$0.05</strong>", 'id="bill"', "$0.095"):
        assert words in page
    sent = {"amount": "0.04", "payer": "host", "reason": "The <card> was hot."}
    assert as_finance.post(f"{path}credit", sent).status_code == 403
    before = ledger.balance(alice.pk)
    asked = as_support.post(f"{path}credit", sent).content.decode()
    assert '<h1 class="words">Give $0.04 back?</h1>' in asked
    assert "$0.038 of it is taken from the $0.095" in asked
    assert "The &lt;card&gt; was hot." in asked
    assert ledger.balance(alice.pk) == before
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked))
    assert found["sure"] == "38000"
    other = as_support.post(f"{path}credit", sent | {"sure": "37000"}).content.decode()
    assert "changed meanwhile" in other
    assert ledger.balance(alice.pk) == before
    reply = as_support.post(f"{path}credit", sent | {"sure": found["sure"]}, follow=True)
    assert "It is given back" in reply.content.decode()
    assert ledger.balance(alice.pk) == before + 40_000
    again = as_support.post(f"{path}credit", sent | {"sure": "38000"})
    assert again.status_code == 422
    assert "Somebody answered this report meanwhile" in again.content.decode()
    assert path not in as_support.get("/console/").content.decode()


@pytest.mark.parametrize(
    "wrong",
    [{"amount": "0"}, {"amount": "9"}, {"payer": "bob"}, {"reason": ""}, {"amount": "1e3"}],
)
def test_a_credit_that_cannot_be_is_refused_with_what_was_typed(
    as_support: Client, report: RentalReport, wrong: dict[str, str]
) -> None:
    sent = {"amount": "0.01", "payer": "site", "reason": "Kind words"} | wrong
    reply = as_support.post(f"/console/reports/{report.id}/credit", sent)
    assert reply.status_code == 422
    report.refresh_from_db()
    assert report.state == "open"


def test_a_refusal_is_told(as_support: Client, report: RentalReport) -> None:
    path = f"/console/reports/{report.id}/refuse"
    for sent in ({}, {"reason": "x" * 501}):
        told = as_support.post(path, sent, follow=True).content.decode()
        assert "Write why, in 1 to 500 characters" in told
        assert 'maxlength="500"' in told
    reply = as_support.post(path, {"reason": "As listed."}, follow=True)
    assert "its renter was told" in reply.content.decode()
    assert as_support.get(f"/console/reports/{uuid4()}/").status_code == 404
    assert as_support.post(f"/console/reports/{uuid4()}/refuse", {"reason": "x"}).status_code == 404


def test_reports_wait_in_their_order_page_by_page(
    market: Market, alice: User, report: RentalReport
) -> None:
    def newer(second: int) -> RentalReport:
        other = market.rent(alice, now=after(second))
        return RentalReport.objects.create(
            rental=other, renter=alice, what=Wrong.OTHER, text="x", made_at=after(150)
        )

    three = sorted([report, newer(1), newer(2)], key=lambda one: one.id)
    first = queries.waiting(limit=2)
    assert ([*first.reports], first.after) == (three[:2], three[1].id)
    rest = queries.waiting(limit=2, after=first.after)
    assert ([*rest.reports], rest.after) == (three[2:], None)


def test_the_pages_ask_equally_often_however_many_reports_there_are(
    as_support: Client, market: Market, alice: User, report: RentalReport
) -> None:
    def questions(path: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert as_support.get(path).status_code == 200
        return len(asked)

    paths = ("/console/", f"/console/reports/{report.id}/")
    few = [questions(path) for path in paths]
    for second in range(3):
        RentalReport.objects.create(
            rental=market.rent(alice, now=after(second)),
            renter=alice,
            what=Wrong.OTHER,
            text="x",
            made_at=after(0) + timedelta(seconds=second),
        )
    assert [questions(path) for path in paths] == few
    assert "Something else" in as_support.get(paths[1]).content.decode()


def test_the_renter_reads_the_answer_and_the_host_what_was_taken(
    by: Staff, alice: User, charlie: User, report: RentalReport
) -> None:
    renter, host = browser(alice), browser(charlie)
    path = f"/rentals/{report.rental_id}/report"
    assert "Waits for staff" in renter.get(path).content.decode()
    assert 'id="taken"' not in host.get("/host/earnings/").content.decode()
    credit(by, report)
    for page in (renter.get(path), renter.get("/rentals/reports/")):
        assert "The card was hot." in page.content.decode()
        assert "$0.04" in page.content.decode()
    earnings = host.get("/host/earnings/").content.decode()
    assert 'id="taken"' in earnings
    assert "The card was hot." in earnings
    assert "It was slow." not in earnings
    bill = renter.get(f"/rentals/{report.rental_id}/bill").content.decode()
    assert f"staff answered report {str(report.id)[:8]}" in bill
