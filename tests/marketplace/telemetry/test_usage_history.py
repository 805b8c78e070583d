"""The last hour of a rental: as columns that charts are drawn from, and as a table."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.pages.shown.usage_history import columns
from marketplace.placements.models import Lease
from marketplace.rentals.bills import Spent
from marketplace.rentals.models import Rental
from marketplace.telemetry import queries
from tests.marketplace import scene
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.rentals.market import Market
from tests.marketplace.telemetry.test_record import reading

__all__ = ["browser_of", "market", "renter"]
GPU = {"uuid": "GPU-1", "busy_percent": 93, "memory_bytes": 3 << 30}


@pytest.fixture
def rental(market: Market, renter: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> Rental:
    rental = market.rent(alice)
    market.run(rental, at=scene.NOW, door_after_s=0)
    Lease.objects.create(machine=market.machine, placement=rental.placement, gpu_uuid="GPU-1")
    for second in (10, 20, 70):
        told = reading(
            rental.placement_id,
            cpu_ms=second * 500,
            received_bytes=second * 1_000_000,
            sent_bytes=0,
            gpus=[GPU],
        )
        market.agent.sync(scene.after(second), usage=told)
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(80))
    return rental


def test_the_columns_are_as_long_as_there_are_readings(renter: Client, rental: Rental) -> None:
    told = renter.get(f"/rentals/{rental.id}/usage.json").json()
    assert told["at"] == [scene.after(second).timestamp() for second in (10, 20, 70)]
    # Of the first one nobody knows how much it was since the one before.
    assert told["cpu"] == [None, 0.5, 0.5]
    assert told["received"] == [None, 1_000_000, 1_000_000]
    assert told["sent"] == [None, 0, 0]
    assert told["memory"] == [1 << 20] * 3
    assert told["disk"] == [None] * 3
    assert told["gpus"] == [{"busy": [93] * 3, "memory": [3 << 30] * 3}]
    assert (told["cpus_max"], told["memory_max"]) == (1, 1 << 30)


def test_the_cost_grows_by_what_was_charged_up_to_each_reading(rental: Rental) -> None:
    placement, now = rental.placement, scene.after(80)
    found = queries.usage(machine_id=placement.machine_id, placement_id=placement.id, now=now)
    later = ((scene.after(15), 500_000), (scene.after(20), 250_000), (scene.after(71), 1))
    told = columns(placement, found, Spent(before_microusd=1_000_000, later=later))
    assert told["cost"] == [1.0, 1.75, 1.75]


def test_a_rental_without_a_reading_has_empty_columns(
    renter: Client, market: Market, alice: User
) -> None:
    rental = market.rent(alice)
    told = renter.get(f"/rentals/{rental.id}/usage.json").json()
    assert told["at"] == told["cpu"] == told["cost"] == told["gpus"] == []


def test_the_table_has_a_row_a_minute(renter: Client, rental: Rental) -> None:
    page = renter.get(f"/rentals/{rental.id}/usage").content.decode()
    # One for the heads, one for each of two minutes.
    assert page.count("<tr>") == 3
    assert page.count("93 %</td>") == 2
    assert "1.0 MB/s" in page


def test_it_takes_the_same_queries_however_much_was_told(
    renter: Client,
    market: Market,
    rental: Rental,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    renter.get("/rentals/")
    for second in range(90, 200, 10):
        market.agent.sync(scene.after(second), usage=reading(rental.placement_id))
    # session, user, rental, proposals, readings, charged before, charged since
    with django_assert_num_queries(7):
        renter.get(f"/rentals/{rental.id}/usage.json")


def test_nobody_else_reads_it(
    rental: Rental, bob: User, browser_of: Callable[[User], Client]
) -> None:
    place = f"/rentals/{rental.id}/usage.json"
    assert browser_of(bob).get(place).status_code == 404
    assert Client().get(place).headers["Location"].startswith("/accounts/login/")
