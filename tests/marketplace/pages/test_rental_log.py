"""The log on a rental's page: asked for and shown with and without scripts, to its renter alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import uuid4

import pytest
from django.contrib import admin
from django.test import Client

from marketplace.accounts.models import User
from marketplace.logs.actions import ask
from marketplace.logs.actions.keep import keep
from marketplace.logs.models import ContainerLog
from marketplace.machines.models import Machine
from marketplace.rentals.models import Rental
from protocol.container_log import LogLine, LogReport
from tests.marketplace import scene
from tests.marketplace.logs.asking import line
from tests.marketplace.rentals.market import Market

HTMX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>\x1b]0;title\x07\x1b[31m red\u202e"


@pytest.fixture
def rental(renter: Client, market: Market, alice: User) -> Rental:
    """Alice's rental, which runs."""
    rental = market.rent(alice, now=scene.NOW)
    market.run(rental, at=scene.after(1))
    return rental


def says(rental: Rental, *lines: LogLine) -> None:
    """Have the machine answer the open question."""
    row = ContainerLog.objects.get(placement=rental.placement_id)
    report = LogReport(asked_id=row.asked_id, lines=lines, is_cut=True)
    keep(
        machine_id=rental.placement.machine_id,
        placement_id=rental.placement_id,
        report=report,
        now=scene.NOW,
    )


def test_without_scripts_a_form_asks_and_the_page_shows_what_came(
    renter: Client, rental: Rental
) -> None:
    path = f"/rentals/{rental.id}/log"
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert f'method="post" action="{path}"' in page
    assert 'id="log-lines"' not in page
    asked = renter.post(path, {"lines": "50"})
    assert (asked.status_code, asked["Location"]) == (302, f"/rentals/{rental.id}/#log")
    assert ContainerLog.objects.get().lines_most == 50
    assert "answers within seconds" in renter.get(f"/rentals/{rental.id}/").content.decode()
    says(rental, line("ready"), line(HOSTILE, 2))
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    shown = page.partition('id="log-lines">')[2].partition("</pre>")[0]
    assert "<i>12:00:00</i> ready\n" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; red" in shown
    assert [some for some in ("\x1b", "\x07", "\u202e", "title") if some in shown] == []
    assert "The newest lines as of" in page


def test_with_scripts_the_part_asks_again_until_the_machine_has_answered(
    renter: Client, rental: Rental
) -> None:
    path = f"/rentals/{rental.id}/log"
    asked = renter.post(path, {"lines": "200"}, headers=HTMX)
    assert asked.status_code == 200
    assert f'hx-get="{path}" hx-trigger="load' in asked.content.decode()
    assert "<html" not in asked.content.decode()
    says(rental, line("ready"))
    part = renter.get(path, headers=HTMX)
    assert ("ready" in part.content.decode(), "hx-trigger" in part.content.decode()) == (
        True,
        False,
    )
    assert "no-store" in part["Cache-Control"]
    assert renter.get(path)["Location"].endswith("#log")


def test_what_came_is_a_file_too(renter: Client, rental: Rental) -> None:
    renter.post(f"/rentals/{rental.id}/log", {"lines": "200"})
    says(rental, line("ready"), line(HOSTILE, 2))
    file = renter.get(f"/rentals/{rental.id}/log.txt")
    assert file["Content-Type"] == "text/plain; charset=utf-8"
    assert file["Content-Disposition"].startswith("attachment")
    assert file.content.decode().splitlines() == [
        "2026-03-01T12:00:00.000000001Z stdout ready",
        "2026-03-01T12:00:00.000000002Z stdout <script>alert(1)</script> red ",
    ]


@pytest.mark.parametrize("path", ["log", "log.txt"])
def test_others_see_no_log(
    path: str,
    rental: Rental,
    bob: User,
    charlie: User,
    browser_of: Callable[[User], Client],
    renter: Client,
) -> None:
    renter.post(f"/rentals/{rental.id}/log", {"lines": "200"})
    says(rental, line("secret"))
    address = f"/rentals/{rental.id}/{path}"
    for user in (bob, charlie):
        for headers in ({}, HTMX):
            assert browser_of(user).get(address, headers=headers).status_code == 404
    assert browser_of(bob).post(f"/rentals/{rental.id}/log", {"lines": "50"}).status_code == 404
    stranger = Client().get(address)
    assert stranger["Location"].startswith("/accounts/login/")
    assert b"secret" not in Client().get(address, headers=HTMX).content
    assert renter.get(f"/rentals/{uuid4()}/{path}").status_code == 404


def test_an_operator_is_shown_no_log(
    rental: Rental, charlie: User, browser_of: Callable[[User], Client]
) -> None:
    User.objects.filter(pk=charlie.pk).update(is_staff=True, is_superuser=True)
    operator = browser_of(charlie)
    assert operator.get(f"/rentals/{rental.id}/log", headers=HTMX).status_code == 404
    assert not admin.site.is_registered(ContainerLog)


def test_who_asks_too_often_reads_why_nothing_happens(renter: Client, rental: Rental) -> None:
    path = f"/rentals/{rental.id}/log"
    for _ in range(ask.OF_A_RENTAL.attempts_max):
        renter.post(path, {"lines": "50"}, headers=HTMX)
        ContainerLog.objects.update(asked_id=None)
    refused = renter.post(path, {"lines": "50"}, headers=HTMX).content.decode()
    assert "Too many attempts; try again in" in refused
    page = renter.post(path, {"lines": "50"}, follow=True).content.decode()
    assert "Too many attempts; try again in" in page


def test_what_nobody_can_mean_asks_for_nothing(renter: Client, rental: Rental) -> None:
    for lines in ("", "7", "1e9"):
        reply = renter.post(f"/rentals/{rental.id}/log", {"lines": lines}, headers=HTMX)
        assert (reply.status_code, ContainerLog.objects.count()) == (200, 0)


def test_a_silent_machine_is_not_asked_and_the_page_says_so(renter: Client, rental: Rental) -> None:
    Machine.objects.update(online=False)
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert "Its machine is silent" in page
    assert 'id="log-ask"' not in page


def test_a_long_log_costs_no_more_questions_than_a_short_one(
    renter: Client,
    rental: Rental,
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[object]],
) -> None:
    path = f"/rentals/{rental.id}/log"
    for count in (1, 500):
        renter.post(path, {"lines": "1000"})
        says(rental, *(line("x", number) for number in range(count)))
        # The session, the person, the log.
        with django_assert_max_num_queries(3):
            assert renter.get(path, headers=HTMX).content.count(b"<i>") == count
