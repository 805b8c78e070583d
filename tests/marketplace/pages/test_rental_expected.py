"""A rental whose machine is little known is told when it may be ready by others, and by which."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.domain.starts import ALL
from marketplace.machines.models import Machine
from marketplace.offers.models import KindStarts, Offer
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market
from tests.marketplace.test_api import Api

FIGURES = {"p50_ms": 20_000, "p95_ms": 90_000, "came_up": 12, "failed": 1}


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    return market.rent(alice)


@pytest.mark.parametrize(
    ("kind", "model", "basis", "where"),
    [
        (ALL, "RTX 4090", "site", "on this site"),
        ("RTX 4090", "RTX 4090", "kind", "on machines with RTX 4090"),
        ("", "", "kind", "on machines without a GPU"),
    ],
)
def test_others_tell_when_it_may_be_ready_and_which(
    rental: Rental,
    renter: Client,
    market: Market,
    alice: User,
    kind: str,
    model: str,
    basis: str,
    where: str,
) -> None:
    Offer.objects.update(gpu_model=model)
    Machine.objects.update(gpu_model=model)
    Rental.objects.update(gpu_model=model)
    KindStarts.objects.create(gpu_model=kind, **FIGURES)
    told = Api(alice).get(f"/rentals/{rental.id}").json()["expected"]
    assert (told["basis"], told["came_up"], told["begun"]) == (basis, 12, 13)
    assert told["half_by"] == scene.after(20).isoformat().replace("+00:00", "Z")
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert f"Half of the rentals {where} would be ready" in page
    dialog = renter.get(f"/offers/{market.offer.id}/rent").content.decode()
    assert f"20 s for half, 90 s for 95 of 100, {where}<" in dialog
    # Of the machine itself enough is known by now.
    Offer.objects.update(start_p50_ms=1000, start_p95_ms=2000, starts=5)
    own = Api(alice).get(f"/rentals/{rental.id}").json()["expected"]
    assert (own["basis"], own["came_up"]) == ("machine", 5)


def test_a_list_asks_once_however_many_begin(
    rental: Rental,
    renter: Client,
    market: Market,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    market.rent(alice, lease_s=60, now=scene.after(1))
    renter.get("/rentals/")
    # and what is known of kinds, beside those of test_rental_names.py
    with django_assert_num_queries(8):
        renter.get("/rentals/?state=live")
