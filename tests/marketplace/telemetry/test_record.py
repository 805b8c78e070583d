"""Readings and incidents of machines: what is kept of them, for how long, and who sees them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.usage import SLOTS
from marketplace.placements.models import Lease
from marketplace.rentals.models import Rental
from marketplace.telemetry import queries
from marketplace.telemetry.actions import record
from marketplace.telemetry.actions.forget import forget
from marketplace.telemetry.models import Incident, Reading
from protocol.agent import ObservedState
from tests.marketplace import scene
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.rentals.market import Market

__all__ = ["browser_of", "market", "renter"]
MACHINE = {
    "load_milli": 1500,
    "memory_used_bytes": 1,
    "memory_bytes": 2,
    "disk_used_bytes": 3,
    "disk_bytes": 4,
}


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    found = market.rent(alice)
    market.run(found, at=scene.after(1))
    return found


def reading(placement_id: UUID, cpu_ms: int = 0, **more: Any) -> dict[str, Any]:
    used = {"placement_id": str(placement_id), "run": 0, "cpu_ms": cpu_ms, "memory_bytes": 1 << 20}
    return {"machine": MACHINE, "placements": [used | more]}


def incident(**more: Any) -> dict[str, Any]:
    told = {
        "incident_id": str(uuid4()),
        "at_ms": int(scene.NOW.timestamp() * 1000),
        "kind": "out_of_memory",
        "blame": "renter",
        "sentence": "A process was ended: the memory was full.",
    }
    return told | more


def test_an_hour_of_readings_is_kept_and_no_more(market: Market, rental: Rental) -> None:
    for index in range(SLOTS + 30):
        told = reading(rental.placement_id, cpu_ms=index * 10_000)
        market.agent.sync(scene.after(10 + index * 10), usage=told)
    assert Reading.objects.count() == SLOTS
    now = scene.after(10 + (SLOTS + 29) * 10)
    points = queries.usage(
        machine_id=rental.placement.machine_id, placement_id=rental.placement_id, now=now
    )
    assert len(points) == SLOTS
    assert {point.cpu_milli for point in points[1:]} == {1000}
    assert (points[-1].at, points[0].at) == (now, now - timedelta(seconds=3590))


def test_who_rents_sees_the_numbers_and_nobody_else_does(
    market: Market,
    rental: Rental,
    renter: Client,
    bob: User,
    browser_of: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = {"disk_used_bytes": 1 << 30, "disk_bytes": 4 << 30}
    net = {"received_bytes": 0, "sent_bytes": 0}
    placement = rental.placement
    Lease.objects.create(machine=placement.machine, placement=placement, gpu_uuid="GPU-1")
    gpu = {"uuid": "GPU-1", "busy_percent": 93, "memory_bytes": 3 << 30}
    first = reading(rental.placement_id, 0, **disk, **net)
    second = reading(
        rental.placement_id,
        5000,
        **disk,
        received_bytes=20_000_000,
        sent_bytes=3000,
        gpus=[gpu],
    )
    market.agent.sync(scene.after(10), usage=first)
    market.agent.sync(scene.after(20), usage=second)
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(21))
    url = f"/rentals/{rental.id}/usage"
    page = renter.get(url).content.decode()
    for words in ("0.50 of", "1 MiB of", "1 GiB of 4 GiB", "2.0 MB/s in, 300 B/s out"):
        assert words in page
    assert "93 % busy, 3 GiB used" in page
    assert "<html" in page
    part = renter.get(url, headers={"HX-Request": "true"}).content.decode()
    # The captions of the charts have the numbers.
    assert part.strip() == ""
    assert f'hx-get="{url}"' in renter.get(f"/rentals/{rental.id}/").content.decode()
    assert browser_of(bob).get(url).status_code == 404


def test_beside_the_charts_stands_what_went_wrong_or_that_nothing_was_measured(
    market: Market, rental: Rental, renter: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def part() -> str:
        told = renter.get(f"/rentals/{rental.id}/usage", headers={"HX-Request": "true"})
        return told.content.decode()

    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(21))
    assert "nothing of the last hour yet" in part()
    told = incident(placement_id=str(rental.placement_id))
    market.agent.sync(scene.after(20), usage=reading(rental.placement_id), incidents=[told])
    assert "nothing of the last hour yet" not in part()
    assert told["sentence"] in part()


def test_the_api_answers_renter_and_host(
    market: Market, rental: Rental, alice: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = incident(placement_id=str(rental.placement_id))
    market.agent.sync(scene.after(10), usage=reading(rental.placement_id), incidents=[told])
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(11))
    mine = _get(alice, f"/api/v1/rentals/{rental.id}/usage")
    assert mine.json()["points"][0]["memory_bytes"] == 1 << 20
    assert [one["blame"] for one in mine.json()["incidents"]] == ["renter"]
    assert _get(charlie, f"/api/v1/rentals/{rental.id}/usage").status_code == 404
    machine = f"/api/v1/host/machines/{rental.placement.machine_id}/usage"
    hosted = _get(charlie, machine).json()
    assert hosted["now"]["load_milli"] == 1500
    assert hosted["incidents"][0]["placement_id"] == str(rental.placement_id)
    assert _get(alice, machine).status_code == 404


def test_an_incident_told_twice_is_kept_once(market: Market, rental: Rental) -> None:
    told = incident(placement_id=str(rental.placement_id))
    for second in (10, 11):
        market.agent.sync(scene.after(second), incidents=[told, told])
    found = Incident.objects.get()
    assert (found.placement_id, found.told_at) == (rental.placement_id, scene.after(10))


def test_a_machine_speaks_of_no_placement_but_its_own(market: Market, rental: Rental) -> None:
    other = scene.placement(on=scene.machine())
    market.agent.sync(
        scene.after(10),
        usage=reading(other.id),
        incidents=[incident(placement_id=str(one)) for one in (other.id, uuid4())],
    )
    assert [one.placement_id for one in Incident.objects.all()] == [None, None]
    usage = queries.usage(machine_id=other.machine_id, placement_id=other.id, now=scene.after(11))
    assert usage == ()


def test_a_machine_fills_no_reading_with_what_it_does_not_have(
    market: Market, rental: Rental
) -> None:
    own = reading(rental.placement_id, gpus=[{"uuid": "x" * 200}] * 64)["placements"]
    strange = [one for _ in range(300) for one in reading(uuid4())["placements"]]
    cards = [{"uuid": f"GPU-{number}"} for number in range(64)]
    market.agent.sync(
        scene.after(10),
        usage={"machine": MACHINE | {"cards": cards}, "placements": own * 300 + strange},
    )
    kept = Reading.objects.get().content
    assert set(kept["placements"]) == {str(rental.placement_id)}
    assert len(json.dumps(kept)) < 500
    market.agent.sync(
        scene.after(20), placements=[market.agent.observed(rental.placement_id, ObservedState.GONE)]
    )
    market.agent.sync(scene.after(30), usage=reading(rental.placement_id))
    assert Reading.objects.latest("at").content["placements"] == {}


def test_a_machines_clock_dates_nothing_after_it_was_told(market: Market, rental: Rental) -> None:
    told = [incident(at_ms=1 << 42), incident(at_ms=0)]
    market.agent.sync(scene.after(10), incidents=told)
    at = sorted(one.at for one in Incident.objects.all())
    assert at == [scene.after(10) - record.KEPT, scene.after(10)]


def test_who_tells_too_much_is_not_heard_further_that_day(
    market: Market, rental: Rental, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "INCIDENTS_A_DAY_MAX", 3)
    for second in (10, 11, 12):
        market.agent.sync(scene.after(second), incidents=[incident(), incident()])
    assert Incident.objects.count() == 3
    market.agent.sync(scene.after(90_000), incidents=[incident()])
    assert Incident.objects.count() == 4


def test_what_is_old_is_forgotten(market: Market, rental: Rental) -> None:
    market.agent.sync(scene.after(10), incidents=[incident()])
    forget(now=scene.after(11) + record.KEPT)
    assert not Incident.objects.exists()


def test_a_host_reads_what_went_wrong_and_a_machines_words_stay_words(
    market: Market, rental: Rental, charlie: User, browser_of: Callable[[User], Client]
) -> None:
    market.agent.sync(scene.after(10), incidents=[incident(sentence="<b>sda</b>", count=3)])
    page = browser_of(charlie).get("/host/").content.decode()
    assert "&lt;b&gt;sda&lt;/b&gt; (3 times)" in page
    assert "Most likely what runs in the rental." in page


def _get(user: User, path: str) -> Any:
    secret = issue(user_id=user.pk, name="test", now=scene.NOW).secret
    return Client().get(path, headers={"Authorization": f"Bearer {secret}"})
