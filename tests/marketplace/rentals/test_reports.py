"""A renter reports a rental once at a time, within its cost, and takes it back until answered."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.domain.rental_report import (
    CHARGED_WITHIN,
    OF_RENTAL_MAX,
    REPORTED_WITHIN,
    TEXT_LENGTH_MAX,
    ReportState,
    Wrong,
)
from marketplace.domain.text import TextRefused
from marketplace.ledger.models import Hold
from marketplace.placements.models import Placement
from marketplace.rentals import rental_reports
from marketplace.rentals.actions import end
from marketplace.rentals.actions import report as reporting
from marketplace.rentals.models import Rental, RentalReport
from marketplace.rentals.queries import RentalUnknown
from tests.marketplace.browsers import enter
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import deliver
from tests.marketplace.scene import after


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    """It was charged $0.10 for 100 s."""
    give(alice, 100_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    return rental


def report(
    rental: Rental,
    *,
    text: str = "It was slow.",
    asked: int | None = 50_000,
    by: int | None = None,
    second: float = 200,
) -> RentalReport:
    return reporting.report(
        rental_id=rental.id,
        renter_id=rental.renter_id if by is None else by,
        what=Wrong.HARDWARE,
        text=text,
        asked_microusd=None if asked is None else MicroUsd(asked),
        now=after(second),
    )


def withdraw(rental: Rental, *, by: int | None = None) -> None:
    renter_id = rental.renter_id if by is None else by
    reporting.withdraw(rental_id=rental.id, renter_id=renter_id, now=after(300))


def test_the_same_words_twice_are_one_report_and_others_wait_for_the_answer(
    rental: Rental,
) -> None:
    made = report(rental, text=" It was\r\nslow. ")
    assert (made.text, made.state, made.asked_microusd) == ("It was\nslow.", "open", 50_000)
    assert report(rental, text="It was\nslow.", second=201) == made
    for text, asked in (("Other words.", 50_000), ("It was\nslow.", None)):
        with pytest.raises(reporting.ReportOpen):
            report(rental, text=text, asked=asked)
    assert RentalReport.objects.get() == made


def test_a_retry_that_comes_behind_the_answer_makes_no_second_report(rental: Rental) -> None:
    made = report(rental)
    RentalReport.objects.update(state=ReportState.REFUSED, closed_at=after(250), answer="No.")
    assert report(rental, second=260) == made
    assert report(rental, text="Once more.", second=260) != made


def test_a_report_is_withdrawn_until_it_is_answered(rental: Rental, bob: User) -> None:
    with pytest.raises(rental_reports.ReportUnknown):
        withdraw(rental)
    made = report(rental)
    with pytest.raises(rental_reports.ReportUnknown):
        withdraw(rental, by=bob.pk)
    withdraw(rental)
    withdraw(rental)
    made.refresh_from_db()
    assert (made.state, made.closed_at) == ("withdrawn", after(300))
    again = report(rental, second=400)
    assert again != made
    RentalReport.objects.filter(id=again.id).update(state=ReportState.REFUSED, closed_at=after(500))
    with pytest.raises(reporting.ReportAnswered):
        withdraw(rental)


def test_no_more_is_asked_than_was_charged_and_not_given_back(rental: Rental) -> None:
    with pytest.raises(reporting.AsksTooMuch, match=r"At most \$0\.10 can still come back"):
        report(rental, asked=100_001)
    assert report(rental, asked=100_000).asked_microusd == 100_000


def test_what_was_charged_more_than_thirty_days_ago_is_asked_back_no_more(rental: Rental) -> None:
    days_s = CHARGED_WITHIN.total_seconds()
    with pytest.raises(reporting.AsksTooMuch, match=r"At most \$0\.00 can still come back"):
        report(rental, asked=1, second=days_s + 102)
    assert report(rental, asked=100_000, second=days_s + 100).asked_microusd == 100_000
    RentalReport.objects.update(
        state=ReportState.CREDITED, credited_microusd=30_000, closed_at=after(200)
    )
    Hold.objects.update(returned_microusd=30_000)
    with pytest.raises(reporting.AsksTooMuch, match=r"\$0\.07"):
        report(rental, text="More.", asked=70_001, second=days_s + 100)


def test_a_rental_that_ended_long_ago_is_reported_no_more(market: Market, rental: Rental) -> None:
    end.end(rental_id=rental.id, renter_id=rental.renter_id, now=after(101))
    market.end(rental, at=after(102))
    ended_at = Placement.objects.get(rental=rental).ended_at
    assert ended_at is not None
    late = (ended_at + REPORTED_WITHIN - after(0)).total_seconds() + 1
    with pytest.raises(reporting.ReportTooLate):
        report(rental, asked=None, second=late)
    made = report(rental, asked=None, second=late - 1)
    assert report(rental, asked=None, second=late) == made


def test_words_are_bounded_and_show_what_they_say(rental: Rental, bob: User) -> None:
    for text in ("", " \n", "x" * (TEXT_LENGTH_MAX + 1)):
        with pytest.raises(reporting.ReportWordless):
            report(rental, text=text)
    with pytest.raises(TextRefused):
        report(rental, text="pay \u202eme")
    with pytest.raises(RentalUnknown):
        report(rental, by=bob.pk)
    with pytest.raises(RentalUnknown):
        reporting.report(
            rental_id=uuid4(),
            renter_id=rental.renter_id,
            what=Wrong.OTHER,
            text="x",
            asked_microusd=None,
            now=after(1),
        )
    assert not RentalReport.objects.exists()


def test_a_rental_has_so_many_reports(rental: Rental) -> None:
    for number in range(OF_RENTAL_MAX):
        report(rental, text=f"Report {number}")
        withdraw(rental)
    with pytest.raises(reporting.ReportsTooMany):
        report(rental, text="One more")


def test_so_many_of_a_renter_wait_at_a_time(
    market: Market, alice: User, rental: Rental, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "OPEN_MAX", 1)
    report(rental)
    with pytest.raises(reporting.ReportsTooMany):
        report(market.rent(alice), asked=None)


def test_a_program_reports_reads_and_withdraws(alice: User, rental: Rental) -> None:
    # The site asks what time it is by itself: as if the rental began lately.
    Rental.objects.update(started_at=timezone.now())
    secret = issue(user_id=alice.pk, name="t", now=after(0)).secret
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    path = f"/api/v1/rentals/{rental.id}/report"
    assert client.get(path).status_code == 404
    body = {"what": "unreachable", "text": "No SSH.", "asked_microusd": 50_000}
    first = client.post(path, body, content_type="application/json")
    again = client.post(path, body, content_type="application/json")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() == client.get(path).json()
    assert client.get("/api/v1/reports").json()["items"] == [first.json()]
    for wrong in ({"asked_microusd": 100_001}, {"text": "Else"}, {"what": "x"}, {"text": ""}):
        refused = client.post(path, body | wrong, content_type="application/json")
        assert refused.status_code in {409, 422}, wrong
    assert [client.delete(path).status_code for _ in range(2)] == [204, 204]
    assert client.get(path).json()["state"] == "withdrawn"
    RentalReport.objects.update(state=ReportState.REFUSED)
    refused = client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "report_answered")


def test_a_page_says_why_a_report_is_refused_and_keeps_what_was_typed(
    alice: User, rental: Rental
) -> None:
    # The site asks what time it is by itself: as if the rental began lately.
    Rental.objects.update(started_at=timezone.now())
    browser = enter(Client(), alice)
    path = f"/rentals/{rental.id}/report"
    sent = {"what": "charge", "text": "Too <much>", "ask": "9"}
    reply = browser.post(path, sent)
    assert reply.status_code == 422
    assert "At most $0.10 can still come back" in reply.content.decode()
    assert "Too &lt;much&gt;" in reply.content.decode()
    browser.post(path, sent | {"ask": ""})
    assert RentalReport.objects.get().asked_microusd is None
    again = browser.post(path, sent | {"text": "Else", "ask": ""})
    assert again.status_code == 422
    shown = browser.post(f"{path}/withdraw", follow=True).content.decode()
    assert "The report is withdrawn." in shown
    Rental.objects.update(forgotten_at=after(300))
    assert browser.get(path).headers["Location"] == "/rentals/reports/"
    assert browser.get("/rentals/reports/?after=x").status_code == 302
