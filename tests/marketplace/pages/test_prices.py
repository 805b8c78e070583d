"""What a price is made of is shown before and during, and a higher one is answered on the page."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals import queries
from marketplace.rentals.models import PriceProposal, Rental
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def host(client: Client, charlie: User) -> Client:
    client.force_login(charlie)
    return client


TERMS = {"price_cpu_hour": "3.60", "cpus_min": "1", "listed": "on", "longest_hours": "720"}


def test_a_host_sets_reservations_storage_and_traffic(host: Client, market: Market) -> None:
    url = f"/host/machines/{market.machine.id}/terms"
    told = TERMS | {
        "discounts": "7: 5\n30: 12.5 %\n",
        "storage_price": "0.07",
        "network_price": "0.01",
    }
    host.post(url, told)
    offer = Offer.objects.get()
    steps = [{"days": 7, "discount_ppm": 50_000}, {"days": 30, "discount_ppm": 125_000}]
    assert offer.discounts == steps
    assert (offer.storage_price_microusd, offer.network_price_microusd) == (70_000, 10_000)
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    assert "7: 5 %\n30: 12.5 %" in page
    host.post(url, told | {"discounts": "30: 20\n7: 5"})
    host.post(url, told | {"discounts": "many"})
    assert Offer.objects.get().discounts == steps
    host.post(url, TERMS)
    offer = Offer.objects.get()
    assert (offer.discounts, offer.storage_price_microusd, offer.network_price_microusd) == (
        [],
        0,
        0,
    )


def test_more_traffic_of_a_running_rental_is_allowed_on_its_page(
    client: Client, market: Market, alice: User, bob: User, give: Callable[..., None]
) -> None:
    give(alice, 4_000_000)
    give_key(alice)
    free = market.rent(alice, lease_s=60)
    Offer.objects.update(network_price_microusd=10_000)
    rental = market.rent(alice)
    # Its lease is over by the clock of this process; as if it were not.
    Placement.objects.update(funded_until=datetime.now(UTC) + timedelta(days=1))
    client.force_login(alice)
    assert 'id="traffic-form"' not in client.get(f"/rentals/{free.id}/").content.decode()
    url = f"/rentals/{rental.id}/traffic"
    page = client.get(f"/rentals/{rental.id}/").content.decode()
    assert "It used 0.00 of 10 GB." in page
    assert "of 25 GB" in client.post(url, {"traffic_gb": "25"}, follow=True).content.decode()
    assert queries.view(rental.id, alice.pk, NOW).traffic_bytes_max == 25 * 10**9
    for told, why in (
        ("5", "name more in all"),
        ("500000", "not enough money"),
        ("x", "whole number"),
    ):
        refused = client.post(url, {"traffic_gb": told})
        assert (refused.status_code, why in refused.content.decode()) == (422, True), told
    client.force_login(bob)
    assert client.post(url, {"traffic_gb": "30"}).status_code == 404
    assert queries.view(rental.id, alice.pk, NOW).traffic_bytes_max == 25 * 10**9


def test_a_reservation_has_no_idle_form(
    client: Client, market: Market, alice: User, give: Callable[..., None]
) -> None:
    give(alice, 200_000_000)
    give_key(alice)
    Offer.objects.update(discounts=[{"days": 1, "discount_ppm": 100_000}], longest_term_s=10**6)
    client.force_login(alice)
    for price_type, has_form in (("on_demand", True), ("reserved", False)):
        rental = market.rent(alice, lease_s=86_400, price_type=price_type)
        page = client.get(f"/rentals/{rental.id}/").content.decode()
        assert ('id="idle-form"' in page) is has_form


def test_a_renter_answers_a_higher_price_that_its_host_asked_for(
    client: Client, market: Market, alice: User, charlie: User, give: Callable[..., None]
) -> None:
    give(alice, 40_000_000)
    give_key(alice)
    rental = market.rent(alice)
    Offer.objects.update(price_cpu_hour_microusd=2 * CPU_HOUR_MICROUSD)
    client.force_login(charlie)
    client.post(f"/host/machines/{market.machine.id}/propose")
    # It is long over by the clock of this process; as if it were not.
    Placement.objects.update(funded_until=timezone.now() + timedelta(hours=1))
    PriceProposal.objects.create(
        rental=rental,
        price_hour_microusd=2 * CPU_HOUR_MICROUSD,
        from_at=rental.started_at,
        proposed_at=rental.started_at,
    )
    client.force_login(alice)
    page = client.get(f"/rentals/{rental.id}/").content.decode()
    assert 'id="pending-price"' in page
    assert "$7.20 an hour" in page
    answer = {"price_hour_microusd": 2 * CPU_HOUR_MICROUSD, "answer": "decline"}
    client.post(f"/rentals/{rental.id}/price", answer)
    assert PriceProposal.objects.get().state == "declined"
    assert "You declined" in client.get(f"/rentals/{rental.id}/").content.decode()
    assert client.post(f"/rentals/{rental.id}/price", {}).status_code == 404
    assert Rental.objects.get().price_hour_microusd == CPU_HOUR_MICROUSD
