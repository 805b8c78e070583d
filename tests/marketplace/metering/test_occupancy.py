"""How much of a host's machines was rented and paid for in thirty days."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.ledger.models import Hold
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter
from marketplace.metering.occupancy import lately, occupancies_ppm
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import NOW, after

DAY = timedelta(days=1)
DAY_MS = 86_400_000


@pytest.fixture
def rented(charlie: User, alice: User, give: Callable[..., None]) -> Market:
    """A machine of four CPUs, enrolled ten days ago, of which Alice rents one."""
    market = Market.open(charlie)
    Machine.objects.update(enrolled_at=NOW - 10 * DAY)
    market.machine.refresh_from_db()
    give(alice, 10_000_000)
    give_key(alice)
    market.run(market.rent(alice), at=after(2))
    return market


def charged(**changed: object) -> None:
    Meter.objects.update(proven_ms=40 * DAY_MS, **changed)


def occupancy(market: Market) -> int:
    machine = market.machine
    return occupancies_ppm([machine], host_id=machine.host_id, now=NOW)[machine.id]


def test_what_was_never_rented_is_empty(charlie: User) -> None:
    assert occupancy(Market.open(charlie)) == 0


def test_it_is_the_paid_share_of_all_units_since_the_enrolment(rented: Market) -> None:
    charged(charged_ms=2 * DAY_MS, charged_until=NOW, opened_at=NOW - 3 * DAY)
    assert occupancy(rented) == 2 * 1_000_000 // 40


def test_of_what_began_earlier_no_more_counts_than_lies_within(rented: Market) -> None:
    Machine.objects.update(enrolled_at=NOW - 100 * DAY)
    rented.machine.refresh_from_db()
    charged(charged_ms=40 * DAY_MS, charged_until=NOW, opened_at=NOW - 50 * DAY)
    assert occupancy(rented) == 250_000
    charged(charged_ms=DAY_MS, charged_until=NOW, opened_at=NOW - 50 * DAY)
    assert occupancy(rented) == 1_000_000 // 120
    charged(charged_ms=DAY_MS, charged_until=NOW - 31 * DAY, opened_at=NOW - 50 * DAY)
    assert occupancy(rented) == 0


def earned(market: Market) -> int:
    machine = market.machine
    return lately([machine], host_id=machine.host_id, now=NOW)[machine.id].earned_microusd


def test_what_it_earned_is_less_the_fee_and_what_was_given_back(rented: Market) -> None:
    sums = {"charged_microusd": 2_000_000, "fee_microusd": 100_000}
    charged(charged_ms=2 * DAY_MS, charged_until=NOW, opened_at=NOW - 3 * DAY, **sums)
    assert earned(rented) == 1_900_000
    Hold.objects.update(returned_microusd=1_000_000)
    assert earned(rented) == 1_900_000 - 950_000


def test_of_what_began_earlier_it_earned_the_share_that_lies_within(rented: Market) -> None:
    sums = {"charged_microusd": 4_000_000, "fee_microusd": 200_000}
    charged(charged_ms=40 * DAY_MS, charged_until=NOW, opened_at=NOW - 50 * DAY, **sums)
    assert earned(rented) == 3_800_000 * 30 // 40


def test_on_a_machine_with_gpus_they_alone_count(rented: Market) -> None:
    Machine.objects.update(gpus_total=2)
    rented.machine.refresh_from_db()
    charged(charged_ms=5 * DAY_MS, charged_until=NOW, opened_at=NOW - 6 * DAY)
    assert occupancy(rented) == 0
    rented.machine.placements.update(gpus=1)
    assert occupancy(rented) == 250_000


def test_what_another_host_earned_there_is_not_counted(rented: Market, bob: User) -> None:
    charged(charged_ms=5 * DAY_MS, charged_until=NOW, opened_at=NOW - 6 * DAY, host=bob)
    assert occupancy(rented) == 0


def test_it_takes_the_same_queries_however_many_machines(
    rented: Market, charlie: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    machines = [rented.machine, *(scene.machine(host=charlie) for _ in range(3))]
    with django_assert_num_queries(2):
        occupancies_ppm(machines, host_id=charlie.pk, now=NOW)
