"""What a rental uses is told to its open pages, once for each reading, as its charts draw it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.live import audience, readings
from marketplace.metering.models import SideMeter
from marketplace.placements.models import Lease
from marketplace.rentals.models import Rental
from marketplace.telemetry.models import Reading
from tests.marketplace import scene
from tests.marketplace.live.pages import Page
from tests.marketplace.rentals.market import Market
from tests.marketplace.rentals.proving import deliver
from tests.marketplace.telemetry.test_record import incident, reading

GPU = {"uuid": "GPU-1", "busy_percent": 93, "memory_bytes": 3 << 30}


@pytest.fixture
def rental(rental: Rental, market: Market) -> Rental:
    market.run(rental, at=scene.NOW, door_after_s=0)
    Lease.objects.create(machine=market.machine, placement=rental.placement, gpu_uuid="GPU-1")
    return rental


def tell(market: Market, *rentals: Rental, at_s: int) -> None:
    """Let the machine say that each has used half a core since the scene began."""
    told = [reading(one.placement_id, at_s * 500, gpus=[GPU]) for one in rentals]
    usage = told[0] | {"placements": [each["placements"][0] for each in told]}
    market.agent.sync(scene.after(at_s), usage=usage)


def newest_of_charts(browser: Client, rental: Rental) -> dict[str, Any]:
    """Return what a page that is opened now draws last."""
    told = browser.get(f"/rentals/{rental.id}/usage.json").json()
    names = ("at", "cpu", "memory", "disk", "received", "sent", "cost")
    gpus = [{name: column[-1] for name, column in gpu.items()} for gpu in told["gpus"]]
    return {name: told[name][-1] for name in names} | {"gpus": gpus}


def test_the_newest_point_is_the_one_that_charts_end_with(
    rental: Rental, market: Market, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    SideMeter.objects.create(
        meter=rental.meter, storage_price_microusd=1, disk_bytes=1, network_price_microusd=1,
        traffic_microusd_max=1_000_000,
    )  # fmt: skip
    tell(market, rental, at_s=10)
    tell(market, rental, at_s=20)
    deliver(market, rental, second=20)
    now = scene.after(21)
    measured = readings.newer({rental.id: None}, now=now)[rental.id]
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    told = json.loads(measured.told)
    assert told.pop("incidents") == 0
    assert told["cpu"] == 0.5
    assert told["cost"] > 0
    assert told == newest_of_charts(browser, rental)


def test_of_the_reading_before_the_server_knows_by_itself(rental: Rental, market: Market) -> None:
    tell(market, rental, at_s=10)
    first = readings.newer({rental.id: None}, now=scene.after(11))
    # Nobody knows what it was since the one before.
    assert json.loads(first[rental.id].told)["cpu"] is None
    assert readings.newer(first, now=scene.after(12)) == {}
    market.agent.sync(
        scene.after(40), usage=reading(rental.placement_id, 20_000), incidents=[incident()]
    )
    later = readings.newer(first, now=scene.after(41))[rental.id]
    assert json.loads(later.told)["cpu"] == 0.5
    assert later.at == scene.after(40)
    assert later.usage.cpu_ms == 20_000


def test_what_went_wrong_is_counted_with_it(rental: Rental, market: Market) -> None:
    told = incident(placement_id=str(rental.placement_id))
    market.agent.sync(
        scene.after(10), usage=reading(rental.placement_id, 0), incidents=[told, incident()]
    )
    found = readings.newer({rental.id: None}, now=scene.after(11))
    assert json.loads(found[rental.id].told)["incidents"] == 1


def test_an_old_reading_is_no_news(rental: Rental, market: Market) -> None:
    tell(market, rental, at_s=10)
    # Its row is taken by now, or would be: the ring came round.
    for later_s in (31, 3611):
        assert readings.newer({rental.id: None}, now=scene.after(later_s)) == {}


def test_what_this_version_cannot_read_keeps_nobody_else_from_hearing(
    rental: Rental, market: Market, alice: User
) -> None:
    other = market.rent(alice)
    market.run(other, at=scene.NOW, door_after_s=0)
    told = reading(rental.placement_id, 1)
    told["placements"] += reading(other.placement_id, 2)["placements"]
    market.agent.sync(scene.after(10), usage=told)
    kept = Reading.objects.get()
    kept.content["placements"][str(other.placement_id)]["newer"] = 1
    kept.save()
    known = dict.fromkeys((rental.id, other.id))
    assert readings.newer(known, now=scene.after(11)).keys() == {rental.id}


def test_nothing_is_told_of_what_its_renter_took_off_their_list(
    rental: Rental, market: Market
) -> None:
    tell(market, rental, at_s=10)
    Rental.objects.update(forgotten_at=scene.NOW)
    assert readings.newer({rental.id: None}, now=scene.after(11)) == {}


def test_all_rentals_take_one_query_and_each_is_told_its_own(
    rental: Rental,
    market: Market,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    other, silent = market.rent(alice), market.rent(alice)
    market.run(other, at=scene.NOW, door_after_s=0)
    told = reading(rental.placement_id, 1)
    more = reading(other.placement_id, 2)["placements"]
    told["placements"] += more
    market.agent.sync(scene.after(10), usage=told)
    known = dict.fromkeys((rental.id, other.id, silent.id))
    with django_assert_num_queries(1):
        found = readings.newer(known, now=scene.after(11))
    assert {key: one.usage.cpu_ms for key, one in found.items()} == {rental.id: 1, other.id: 2}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_let_go")
async def test_each_open_page_is_told_each_reading_once(
    rental: Rental, browser: Client, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=lambda: scene.after(11))
    monkeypatch.setattr(audience, "timezone", clock)
    monkeypatch.setattr(audience, "READINGS_EVERY_S", 0.01)
    async with Page(rental.id, browser).open() as one, Page(rental.id, browser).open() as other:
        for page in (one, other):
            assert await page.status() == 200
            assert (await page.event())["event"] == "changed"
        for at_s, cpu in ((5, None), (10, 0.5)):
            await sync_to_async(tell)(market, rental, at_s=at_s)
            for page in (one, other):
                event = await page.event()
                assert event.keys() == {"event", "data"}
                assert event["event"] == "measured"
                assert json.loads(event["data"])["cpu"] == cpu
