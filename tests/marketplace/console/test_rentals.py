"""Staff find rentals, and see what settles a dispute about one, and nothing else of it."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import User
from marketplace.console import rentals as queries
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import ALICES_KEY, Market, give_key
from tests.marketplace.rentals.proving import LISTED, deliver, passed
from tests.marketplace.scene import after
from tests.marketplace.staffed import browser


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 50_000_000)
    give_key(alice)
    return market.rent(
        alice, image="quay.io/a/Trainer:1", environment={"TOKEN": "hunter2"}, command=["./hunt3r"]
    )


def listed(client: Client, asked: str) -> list[str]:
    reply = client.get(f"/console/rentals/{asked}")
    assert reply.status_code == 200
    return [line.id for line in reply.context["rentals"]]


def test_rentals_are_found_by_what_staff_know_of_them(
    as_support: Client, market: Market, alice: User, rental: Rental
) -> None:
    newer = market.rent(alice, now=after(5))
    Placement.objects.filter(rental=newer).update(state="preparing")
    both = [str(newer.id), str(rental.id)]
    for asked, found in (
        ("", both),
        (f"?q={both[1][:8]}", both[1:]),
        ("?q=ALICE@", both),
        ("?q=bob@", []),
        ("?q=xyz", []),
        ("?image=trainer", both[1:]),
        ("?state=preparing", both[:1]),
        (f"?machine={market.machine.id}", both),
        (f"?machine={uuid4()}", []),
        (f"?after={both[0]}", both[1:]),
        ("?after=x&state=y&machine=z", both),
    ):
        assert listed(as_support, asked) == found, asked


def test_a_page_of_rentals_looks_at_so_many_and_the_next_goes_on(
    market: Market, alice: User, rental: Rental
) -> None:
    ids = [market.rent(alice, now=after(second)).id for second in (2, 1)] + [rental.id]
    first = queries.rentals(limit=2)
    assert ([one.id for one in first.rentals], first.after) == (ids[:2], ids[1])
    rest = queries.rentals(limit=2, after=first.after)
    assert ([one.id for one in rest.rentals], rest.after) == (ids[2:], None)
    bounded = queries.rentals(image="trainer", scanned=2)
    assert (bounded.rentals, bounded.after) == ((), ids[1])
    found = queries.rentals(image="trainer", scanned=2, after=bounded.after)
    assert [one.id for one in found.rentals] == ids[2:]


def test_the_list_asks_the_database_equally_often_however_many_there_are(
    as_support: Client, market: Market, alice: User, rental: Rental
) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            as_support.get("/console/rentals/?q=alice@")
        return len(asked)

    few = questions()
    for second in range(3):
        market.rent(alice, now=after(second))
    assert questions() == few


def test_a_rentals_page_shows_what_settles_a_dispute_and_no_secret_of_its_renter(
    as_support: Client, market: Market, rental: Rental
) -> None:
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    passed(rental, second=101, rate=LISTED)
    page = as_support.get(f"/console/rentals/{rental.id}/").content.decode()
    for words in (
        "quay.io/a/Trainer:1",
        "alice@example.com",
        "charlie@example.com",
        f"/console/machines/{market.machine.id}/",
        "SSH seen from outside",
        "→ running",
        "Passed",
        "Charged for",
    ):
        assert words in page
    assert 'id="intervals"' in page
    for secret in ("hunter2", "TOKEN", "hunt3r", ALICES_KEY, scene.HOST_KEY):
        assert secret not in page
    assert as_support.get(f"/console/rentals/{uuid4()}/").status_code == 404


def test_nobody_else_reads_a_rental_in_the_console(
    alice: User, charlie: User, rental: Rental
) -> None:
    for path in ("/console/rentals/", f"/console/rentals/{rental.id}/"):
        assert Client().get(path).status_code == 302
        for user in (alice, charlie):
            assert browser(user).get(path).status_code == 404
