"""The first page counts what anybody may rent now, and does not count it for each visitor."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from marketplace.offers.totals import totals
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "hidden",
    [
        {"listed": False},
        {"private": True},
        {"verified_until": None},
        {"verified_until": scene.NOW},
        {"machine__online": False},
    ],
)
def test_only_what_anybody_may_rent_is_counted(charlie: User, hidden: dict[str, object]) -> None:
    Market.open(charlie)
    found = totals(scene.NOW)
    assert (found.machines, found.gpus, found.cpus, found.cpus_free) == (1, 0, 4, 4)
    assert (found.cpu_hour_microusd, found.gpu_hour_microusd) == (CPU_HOUR_MICROUSD, None)
    cache.clear()
    if "machine__online" in hidden:
        Machine.objects.update(online=False)
    else:
        Offer.objects.update(**hidden)
    found = totals(scene.NOW)
    assert (found.machines, found.cpus, found.cpu_hour_microusd) == (0, 0, None)


def test_the_next_visitors_are_told_what_is_known(
    charlie: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Market.open(charlie)
    before = totals(scene.NOW)
    with django_assert_num_queries(0):
        assert totals(scene.NOW + timedelta(seconds=30)) == before
