"""Who answers reports gives the site's money away, or pays twice, no more than their role may."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.console.actions import answer_report
from marketplace.console.actions.answer_report import credit_report, prospect
from marketplace.console.staff import Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.domain.problem import Refused
from marketplace.domain.rental_report import CHARGED_WITHIN, Payer, ReportState, Wrong
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.actions.post import post
from marketplace.ledger.models import Hold
from marketplace.metering.actions.audit_money import audit_money
from marketplace.oversight.models import Act
from marketplace.own_data.actions.delete_account import delete
from marketplace.payments.models import Dispute, TopUp
from marketplace.payments.models import Payer as Cardholder
from marketplace.rentals.actions import report as reporting
from marketplace.rentals.comes_back import most
from marketplace.rentals.models import Rental, RentalReport
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.over import leave_nothing
from tests.marketplace.rentals.proving import deliver
from tests.marketplace.scene import after
from tests.marketplace.staffed import staff

NOW, CREDIT_ENDS = after(200), after(1000)


@pytest.fixture
def support(db: None) -> Staff:
    found = as_staff(staff("support-alone", Role.SUPPORT))
    assert found is not None
    return found


@pytest.fixture
def report(charlie: User, alice: User, give: Callable[..., None]) -> RentalReport:
    """Of a rental that was charged $0.10, $0.03 of it credit: $0.095 is the host's."""
    market = Market.open(charlie)
    give(alice, 100_000_000)
    grant_credit(
        user_id=alice.pk,
        amount_microusd=MicroUsd(30_000),
        expires_at=CREDIT_ENDS,
        cause="promo",
        now=after(0),
    )
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    return reporting.report(
        rental_id=rental.id,
        renter_id=alice.pk,
        what=Wrong.HARDWARE,
        text="It was slow.",
        asked_microusd=None,
        now=after(150),
    )


def credit(
    by: Staff,
    report: RentalReport,
    *,
    amount: int = 40_000,
    payer: Payer = Payer.HOST,
    now: datetime = NOW,
) -> None:
    """Read what it does, and give it."""
    asked = {"by": by, "report_id": report.id, "amount_microusd": amount, "payer": payer}
    host = prospect(**asked, now=now).shares.host_microusd
    credit_report(**asked, host_microusd=host, reason="Hot.", now=now)


def pay_out(host: User, amount: int) -> None:
    post(
        debit=open_account.earnings(user_id=host.pk),
        credit=open_account.outside(),
        amount_microusd=MicroUsd(amount),
        kind=TransferKind.PAYOUT,
        cause="payout",
        now=after(160),
    )


def nothing_moved(report: RentalReport) -> None:
    report.refresh_from_db()
    assert report.state == "open"
    assert not Act.objects.exists()


def test_the_sites_money_asks_for_a_role_that_gives_credit(
    support: Staff, by: Staff, report: RentalReport
) -> None:
    with pytest.raises(answer_report.SiteGives, match="admin, or with support and finance"):
        credit(support, report, payer=Payer.SITE)
    both = Staff(support.user_id, support.email, frozenset({Role.SUPPORT, Role.FINANCE}))
    for one in (both, by):
        asked = {"report_id": report.id, "amount_microusd": 40_000, "now": after(200)}
        assert prospect(by=one, payer=Payer.SITE, **asked).shares.site_microusd == 40_000
    # Nor by an act that skips the page that says who pays.
    with pytest.raises(answer_report.SiteGives):
        credit_report(
            by=support,
            report_id=report.id,
            amount_microusd=MicroUsd(1),
            payer=Payer.SITE,
            host_microusd=0,
            reason="x",
            now=after(200),
        )
    nothing_moved(report)
    credit(support, report)


def test_what_the_host_does_not_have_is_given_by_who_may_give_it_alone(
    support: Staff, by: Staff, charlie: User, report: RentalReport
) -> None:
    pay_out(charlie, 85_000)
    words = r"part is \$0\.038, and they have \$0\.01 that is not paid out"
    with pytest.raises(answer_report.HostHasLess, match=words):
        credit(support, report)
    with pytest.raises(answer_report.HostHasLess):
        credit_report(
            by=support,
            report_id=report.id,
            amount_microusd=MicroUsd(40_000),
            payer=Payer.HOST,
            host_microusd=10_000,
            reason="x",
            now=after(200),
        )
    nothing_moved(report)
    credit(support, report, amount=10_000)
    report.refresh_from_db()
    assert (report.host_microusd, ledger.earned(charlie.pk)) == (9_500, 500)


def test_the_page_says_what_the_site_gives_for_the_host(
    as_admin: Client, as_support: Client, charlie: User, report: RentalReport
) -> None:
    pay_out(charlie, 85_000)
    path = f"/console/reports/{report.id}/credit"
    sent = {"amount": "0.04", "payer": "host", "reason": "Hot."}
    refused = as_support.post(path, sent)
    assert refused.status_code == 422
    assert "they have $0.01 that is not paid out" in refused.content.decode()
    told = as_admin.post(path, sent).content.decode()
    assert "The host has $0.028 less than their part: the site gives it" in told
    assert "$0.03 of it is the site’s" in told


def test_while_a_card_is_disputed_or_its_holder_barred_nothing_comes_back(
    by: Staff, as_support: Client, alice: User, report: RentalReport
) -> None:
    paid = TopUp.objects.create(
        user=alice,
        amount_microusd=5_000_000,
        state="paid",
        gateway="stripe",
        reference="pi_1",
        cause="t",
        created_at=after(0),
        ask_at=after(0),
    )
    dispute = Dispute.objects.create(
        id="dp_1", top_up=paid, amount_microusd=5_000_000, opened_at=after(1), ask_at=after(1)
    )
    page = f"/console/reports/{report.id}/"
    assert "disputed now</dt><dd>$5.00" in as_support.get(page).content.decode()
    with pytest.raises(answer_report.RenterDisputes):
        credit(by, report)
    Dispute.objects.filter(pk=dispute.pk).update(state="lost", borne_microusd=1)
    Cardholder.objects.create(user=alice, barred_at=after(2))
    assert "lost by a dispute</dt><dd>$5.00" in as_support.get(page).content.decode()
    with pytest.raises(answer_report.RenterDisputes):
        credit_report(
            by=by,
            report_id=report.id,
            amount_microusd=MicroUsd(40_000),
            payer=Payer.HOST,
            host_microusd=38_000,
            reason="x",
            now=after(200),
        )
    nothing_moved(report)
    Cardholder.objects.update(barred_at=None)
    credit(by, report)


def test_credit_that_ended_comes_back_to_nobody_and_nobody_pays_for_it(
    by: Staff, as_admin: Client, alice: User, charlie: User, report: RentalReport
) -> None:
    late = CREDIT_ENDS + timedelta(seconds=1)
    with pytest.raises(answer_report.CreditTooMuch, match=r"At most \$0\.07 .* credit that ended"):
        credit(by, report, amount=100_000, now=late)
    nothing_moved(report)
    sent = {"amount": "0.07", "payer": "host", "reason": "Hot."}
    told = as_admin.post(f"/console/reports/{report.id}/credit", sent).content.decode()
    assert "$0.03 of what was charged was credit that has ended" in told
    before = ledger.balance(alice.pk)
    credit(by, report, amount=70_000, now=late)
    assert ledger.balance(alice.pk) == before + 70_000
    assert ledger.earned(charlie.pk) == 95_000 - 66_500
    assert audit_money(now=late).problems == []


def test_what_was_charged_thirty_days_before_the_report_is_out_of_reach(
    by: Staff, report: RentalReport
) -> None:
    # Whoever waits for the answer loses nothing by that.
    Rental.objects.update(started_at=after(0) - CHARGED_WITHIN)
    RentalReport.objects.update(made_at=after(100) + CHARGED_WITHIN)
    late = after(500) + 2 * CHARGED_WITHIN
    asked = {"by": by, "report_id": report.id, "payer": Payer.HOST, "now": late}
    assert prospect(amount_microusd=MicroUsd(70_000), **asked)
    RentalReport.objects.update(made_at=after(102) + CHARGED_WITHIN)
    with pytest.raises(Refused, match=r"At most \$0\.00 .* 30 days before the report"):
        prospect(amount_microusd=MicroUsd(1), **asked)


def test_of_an_old_rental_storage_and_traffic_come_back_too(report: RentalReport) -> None:
    rental = report.rental
    for number, kind in enumerate((TransferKind.STORAGE, TransferKind.NETWORK)):
        hold.capture(
            hold_id=rental.meter.hold_id,
            amount_microusd=MicroUsd(1_000_000),
            host_user_id=rental.meter.host_id,
            machine_id=rental.placement.machine_id,
            fee_microusd=MicroUsd(50_000),
            kind=kind,
            cause=f"side:{number}",
            now=NOW,
        )
    placed = Hold.objects.get(id=rental.meter.hold_id)
    for started_at in (after(0), after(0) - CHARGED_WITHIN):
        rental.started_at = started_at
        assert most(rental, placed, reported_at=NOW, now=NOW) == 2_100_000


def test_nothing_comes_back_for_a_report_of_a_deleted_account_that_still_waits(
    support: Staff, report: RentalReport
) -> None:
    leave_nothing(report.rental, now=after(160))
    delete(user_id=report.renter_id, now=after(170))
    # As a report that was written while it was deleted, before a release that locks the account.
    RentalReport.objects.update(state=ReportState.OPEN, closed_at=None)
    with pytest.raises(answer_report.RenterGone):
        credit(support, report)
    answer_report.refuse_report(by=support, report_id=report.id, reason="x", now=NOW)
