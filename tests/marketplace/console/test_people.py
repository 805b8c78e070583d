"""Staff find people by their address, and see what belongs to one of them."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.console import queries
from marketplace.console.actions.let_pay import let_pay
from marketplace.console.staff import NotYourRole, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.oversight import Role
from marketplace.oversight.models import Act
from marketplace.payments.actions.let_pay import NotBarred
from marketplace.payments.models import Payer
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.staffed import staff


def test_people_are_found_by_how_their_address_begins(
    as_support: Client, alice: User, bob: User
) -> None:
    page = as_support.get("/console/people/?q=ALI").content.decode()
    assert alice.email in page
    assert f'href="/console/people/{alice.pk}/"' in page
    assert bob.email not in page
    assert b"begins so" in as_support.get("/console/people/?q=nobody").content


@pytest.mark.parametrize("strange", ["%25", "_lice", "'; --", "a" * 5000, "%F0%9F%90%99"])
def test_a_strange_search_finds_nobody(as_support: Client, alice: User, strange: str) -> None:
    page = as_support.get(f"/console/people/?q={strange}")
    assert page.status_code == 200
    assert page.context["people"] == []


def test_pages_of_people_go_on_where_one_ends(alice: User, bob: User, charlie: User) -> None:
    first = queries.people(begins="", limit=2)
    assert [user.email for user in first.people] == [alice.email, bob.email]
    rest = queries.people(begins="", after=first.after, limit=2)
    assert ([user.email for user in rest.people], rest.after) == ([charlie.email], "")


def test_one_persons_page_shows_money_rentals_machines_and_acts(
    as_admin: Client,
    by: Staff,
    alice: User,
    charlie: User,
    give: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market.open(charlie)
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    page = as_admin.get(f"/console/people/{alice.pk}/").content.decode()
    assert str(rental.id) in page
    assert "Nothing was rented" not in page
    host = as_admin.get(f"/console/people/{charlie.pk}/").content.decode()
    assert str(rental.placement.machine_id) in host
    assert "Nothing was rented" in host


def test_the_page_of_one_person_asks_the_database_equally_often_however_much_there_is(
    as_admin: Client,
    alice: User,
    charlie: User,
    give: Callable[..., None],
    django_assert_max_num_queries: Callable[..., object],
) -> None:
    market = Market.open(charlie)
    give(alice, 10_000_000)
    give_key(alice)
    for _ in range(2):
        market.rent(alice)
    with django_assert_max_num_queries(32):  # type: ignore[attr-defined]
        as_admin.get(f"/console/people/{alice.pk}/")


def test_nobody_has_a_page_without_being_there(as_admin: Client) -> None:
    assert as_admin.get("/console/people/999999999/").status_code == 404


def barred(user: User, now: datetime) -> Payer:
    return Payer.objects.create(user=user, customer="cus_1", barred_at=now)


def test_finance_takes_cards_again_and_says_why(
    as_finance: Client, as_support: Client, alice: User, now: datetime
) -> None:
    barred(alice, now)
    path = f"/console/people/{alice.pk}/let-pay"
    assert "Take cards again" in as_finance.get(f"/console/people/{alice.pk}/").content.decode()
    assert "Take cards again" not in as_support.get(f"/console/people/{alice.pk}/").content.decode()
    assert as_support.post(path, {"reason": "x"}).status_code == 403
    as_finance.post(path)
    assert Payer.objects.get().barred_at == now
    as_finance.post(path, {"reason": "paid by wire"})
    assert Payer.objects.get().barred_at is None
    act = Act.objects.get()
    assert (act.kind, act.person, act.reason) == ("let-pay", alice, "paid by wire")


def test_cards_that_are_taken_are_not_taken_again(by: Staff, alice: User, now: datetime) -> None:
    with pytest.raises(NotBarred):
        let_pay(by=by, user_id=alice.pk, reason="x", now=now)
    barred(alice, now)
    with pytest.raises(ReasonUnfit):
        let_pay(by=by, user_id=alice.pk, reason=" ", now=now)
    support = as_staff(staff("one", Role.SUPPORT))
    assert support is not None
    with pytest.raises(NotYourRole):
        let_pay(by=support, user_id=alice.pk, reason="x", now=now)
    assert Payer.objects.get().barred_at == now
