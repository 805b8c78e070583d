"""What happened to a rental: its page, the API, and the order in which both show it."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.scope import Scope
from marketplace.placements.models import DoorShut, Placement, PlacementEvent
from marketplace.rentals import events
from marketplace.rentals.actions import end, start, stop
from marketplace.rentals.models import Rental
from marketplace.telemetry.models import Incident
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import HOST_KEY, NOW, after


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    """It ran, its door was shut for a minute, its memory ran out, and it was stopped."""
    rental = market.rent(alice, now=NOW)
    market.run(rental, at=after(1))
    DoorShut.objects.create(placement_id=rental.placement_id, since=after(60), until=after(120))
    Incident.objects.create(
        machine=market.machine,
        incident_id=uuid4(),
        placement_id=rental.placement_id,
        at=after(130),
        told_at=after(131),
        kind="oom",
        blame="renter",
        sentence="Its memory ran out.",
    )
    stop.stop(rental_id=rental.id, renter_id=alice.pk, now=after(140))
    return rental


def asked(client: Client, rental: Rental, key: str, **parameters: str) -> dict[str, object]:
    """Return what the API says."""
    address = f"/api/v1/rentals/{rental.id}/events"
    reply = client.get(address, parameters, headers={"Authorization": f"Bearer {key}"})
    return {"status": reply.status_code, **reply.json()}


def test_the_page_and_the_api_tell_its_story_newest_first(
    renter: Client, client: Client, rental: Rental, alice: User
) -> None:
    key = issue(user_id=alice.pk, name="k", now=NOW).secret
    told = asked(client, rental, key)
    assert isinstance(told["items"], list)
    assert [one["event"] for one in told["items"]] == [
        *("stop", "incident", "door_open", "door_shut", "seen", "run", "place")
    ]
    assert told["next_cursor"] is None
    page = renter.get(f"/rentals/{rental.id}/history").content.decode()
    places = [page.index(one["sentence"]) for one in told["items"]]
    assert places == sorted(places)
    assert f"/rentals/{rental.id}/history" in renter.get(f"/rentals/{rental.id}/").content.decode()


def test_why_it_ended_is_said_in_a_sentence(renter: Client, rental: Rental, alice: User) -> None:
    Placement.objects.update(reason_code="idle", reason="It was idle for 30 min.")
    PlacementEvent.objects.filter(event="stop").update(reason_code="idle")
    newest = events.events(Rental.objects.select_related("placement").get()).items[0]
    assert (newest.code, newest.reason) == ("idle", "It was idle for 30 min.")
    assert "It was idle for 30 min." in renter.get(f"/rentals/{rental.id}/history").content.decode()


def test_an_earlier_event_is_not_given_a_later_ones_reason(rental: Rental) -> None:
    Placement.objects.update(reason_code="idle", reason="It was idle for 30 min.")
    PlacementEvent.objects.filter(event="stop").update(reason_code="idle")
    PlacementEvent.objects.create(
        placement_id=rental.placement_id,
        at=after(50),
        event="stop",
        new_state="stopping",
        reason_code="idle",
    )
    rental = Rental.objects.select_related("placement").get()
    whole = events.events(rental)
    reasons = [one.reason for one in whole.items if one.code == "idle"]
    assert reasons == ["It was idle for 30 min.", ""]
    # Nor on a page that begins after the newest.
    assert not any(one.reason for one in events.events(rental, before=whole.items[0].mark).items)


@pytest.mark.parametrize("door_after_s", [0, 3])
def test_each_run_says_when_its_ssh_answered(
    market: Market, renter: Client, alice: User, door_after_s: int
) -> None:
    rental = market.rent(alice, now=NOW)
    market.run(rental, at=after(1), door_after_s=door_after_s)
    stop.stop(rental_id=rental.id, renter_id=alice.pk, now=after(20))
    market.halt(rental, at=after(21))
    start.start(rental_id=rental.id, renter_id=alice.pk, now=after(30))
    market.agent.sync(after(30))
    again = {"run": 2, "ssh_port": 20001, "ssh_host_key": HOST_KEY}
    told = market.agent.observed(rental.placement_id, ObservedState.RUNNING, age_ms=0, **again)
    market.agent.sync(after(31), placements=[told])
    market.see(at=after(31 + door_after_s))
    found = events.events(Rental.objects.select_related("placement").get()).items
    seen = [one.at for one in found if one.event == "seen"]
    assert seen == [after(31 + door_after_s), after(1 + door_after_s)]
    order = [one.event for one in found if one.event in ("run", "seen")]
    assert order == ["seen", "run", "seen", "run"]


def test_pages_follow_each_other_and_leave_nothing_out(
    renter: Client, client: Client, rental: Rental, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of one moment there may be several, of several records.
    same = {"placement_id": rental.placement_id, "new_state": "running"}
    PlacementEvent.objects.bulk_create(
        PlacementEvent(at=after(second), event="run", **same) for second in (60, 60, 120, 130, 130)
    )
    whole = events.events(rental).items
    assert len(whole) == 12
    for size in (1, 2, 5):
        monkeypatch.setattr(events, "ROWS_MAX", size)
        found, page = [], events.events(rental)
        while page.older:
            found += page.items
            page = events.events(rental, before=page.older)
        assert (*found, *page.items) == whole
    older = renter.get(f"/rentals/{rental.id}/history").context["older"]
    key = issue(user_id=alice.pk, name="k", now=NOW).secret
    assert asked(client, rental, key)["next_cursor"] == older
    second = asked(client, rental, key, cursor=older)["items"]
    assert isinstance(second, list)
    assert second[0]["sentence"] == whole[5].sentence


def test_a_page_takes_the_same_queries_however_long_the_story_is(
    renter: Client, rental: Rental
) -> None:
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked_for:
            renter.get(f"/rentals/{rental.id}/history")
        counts.append(len(asked_for))
        for number in range(20):
            DoorShut.objects.create(
                placement_id=rental.placement_id,
                since=after(200 + number),
                until=after(200 + number) + timedelta(milliseconds=1),
            )
    assert counts[0] == counts[1]


@pytest.mark.parametrize("mark", ["x", "1-9-1", "1-0-9999999999999999999"])
def test_a_broken_mark_begins_again_or_is_refused(
    renter: Client, client: Client, rental: Rental, alice: User, mark: str
) -> None:
    address = f"/rentals/{rental.id}/history"
    assert renter.get(address, {"before": mark}).headers["Location"] == address
    key = issue(user_id=alice.pk, name="k", now=NOW).secret
    assert asked(client, rental, key, cursor=mark)["code"] == "cursor_invalid"


def test_nobody_else_reads_it(
    browser_of: Callable[[User], Client], client: Client, rental: Rental, alice: User, bob: User
) -> None:
    address = f"/rentals/{rental.id}/history"
    assert browser_of(bob).get(address).status_code == 404
    assert Client().get(address).status_code == 302
    bobs = issue(user_id=bob.pk, name="k", now=NOW).secret
    assert asked(client, rental, bobs)["status"] == 404
    scopes = frozenset({Scope.MONEY_READ})
    narrow = issue(user_id=alice.pk, name="n", now=NOW, scopes=scopes).secret
    assert asked(client, rental, narrow)["status"] == 403


def test_the_story_ends_with_its_end(rental: Rental, alice: User) -> None:
    end.end(rental_id=rental.id, renter_id=alice.pk, now=after(150))
    rental = Rental.objects.select_related("placement").get()
    assert events.events(rental).items[0].sentence == "Its end was asked for."
