"""What an admin announces stands on every page until its time is over, and the log keeps it."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from marketplace.console.actions.announce import (
    HOURS_MAX,
    TEXT_LENGTH_MAX,
    AnnouncementInvalid,
    AnnouncementUnknown,
    TooManyAnnouncements,
    announce,
    withdraw,
)
from marketplace.console.staff import NotYourRole, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.oversight import Role
from marketplace.oversight.announcements import KEPT_S, SHOWN_MAX, look_anew, standing
from marketplace.oversight.models import Act, Announcement
from tests.marketplace.staffed import staff

URL = "/console/announcements/"
SENT = {"text": "Payments rest <b>tonight</b>.", "hours": "2", "reason": "the processor's work"}
SHOWN = "Payments rest &lt;b&gt;tonight&lt;/b&gt;."


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """This process looks at the next page."""
    look_anew()


def test_every_page_says_it_until_it_is_withdrawn(as_admin: Client) -> None:
    assert as_admin.post(URL, SENT, follow=True).status_code == 200
    (made,) = Announcement.objects.all()
    assert SHOWN in Client().get("/").content.decode()
    assert SHOWN in Client().get("/nowhere/").content.decode()
    page = as_admin.get(URL).content.decode()
    assert f"{URL}{made.pk}/withdraw" in page
    as_admin.post(f"{URL}{made.pk}/withdraw", {"reason": "it is over"})
    assert as_admin.post(f"{URL}{made.pk}/withdraw", {"reason": "again"}).status_code == 404
    assert [act.kind for act in Act.objects.order_by("id")] == ["announce", "withdraw-announcement"]
    assert Act.objects.order_by("id")[0].reason == "the processor's work"


def test_the_database_is_asked_only_now_and_then(db: None, now: datetime) -> None:
    assert standing(now) == ()
    Announcement.objects.create(text="Soon.", at=now, until=now + timedelta(seconds=KEPT_S - 5))
    # This process looked a moment ago.
    assert standing(now) == ()


def test_what_is_over_is_not_shown_however_lately_it_was_read(by: Staff, now: datetime) -> None:
    announce(by=by, text="One hour.", hours=1, reason="r", now=now)
    assert [one.text for one in standing(now)] == ["One hour."]
    assert standing(now + timedelta(hours=1)) == ()


@pytest.mark.parametrize(
    ("text", "hours"),
    [(" ", 1), ("a" * (TEXT_LENGTH_MAX + 1), 1), ("a", 0), ("a", HOURS_MAX + 1)],
)
def test_nothing_empty_or_endless_is_announced(
    by: Staff, now: datetime, text: str, hours: int
) -> None:
    with pytest.raises(AnnouncementInvalid):
        announce(by=by, text=text, hours=hours, reason="r", now=now)
    assert not Announcement.objects.exists()


def test_pages_say_no_more_than_people_read(by: Staff, now: datetime) -> None:
    for number in range(SHOWN_MAX):
        announce(by=by, text=f"{number}", hours=1, reason="r", now=now)
    with pytest.raises(TooManyAnnouncements):
        announce(by=by, text="one more", hours=1, reason="r", now=now)
    later = now + timedelta(hours=1)
    announce(by=by, text="one more", hours=1, reason="r", now=later)


def test_a_reason_is_given_and_nothing_happens_without(by: Staff, now: datetime) -> None:
    with pytest.raises(ReasonUnfit):
        announce(by=by, text="a", hours=1, reason=" ", now=now)
    made = announce(by=by, text="a", hours=1, reason="r", now=now)
    with pytest.raises(ReasonUnfit):
        withdraw(by=by, announcement_id=made.pk, reason="", now=now)
    with pytest.raises(AnnouncementUnknown):
        withdraw(by=by, announcement_id=made.pk + 1, reason="r", now=now)
    assert Announcement.objects.get().until == now + timedelta(hours=1)
    assert Act.objects.count() == 1


def test_nobody_but_an_admin_announces(
    as_finance: Client, as_support: Client, client: Client, now: datetime
) -> None:
    for one in (as_finance, as_support, client):
        assert one.get(URL).status_code in (302, 403, 404)
        assert one.post(URL, SENT).status_code in (302, 403, 404)
    finance = as_staff(staff("other", Role.FINANCE))
    assert finance is not None
    with pytest.raises(NotYourRole):
        announce(by=finance, text="a", hours=1, reason="r", now=now)
    with pytest.raises(NotYourRole):
        withdraw(by=finance, announcement_id=1, reason="r", now=now)
    assert not Announcement.objects.exists()
