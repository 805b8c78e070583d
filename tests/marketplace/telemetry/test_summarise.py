"""What rentals used is kept by five minutes for a day and by the hour for a month, no longer."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.domain.placement import PlacementState
from marketplace.domain.usage import slot_of
from marketplace.domain.usage_summary import Figure, Span, Summary
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from marketplace.telemetry import queries
from marketplace.telemetry.actions import summarise
from marketplace.telemetry.actions.forget import forget
from marketplace.telemetry.models import Reading, Summed, UsageSummary
from protocol.workload import PlacementKind
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import NOW, after
from tests.marketplace.test_api import Api

__all__ = ["browser_of", "market", "renter"]
MINUTES, HOUR = 5 * 60, 3600


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    found = market.rent(alice)
    market.run(found, at=NOW)
    return found


def used(rental: Rental, second: int, busy: int = 50) -> dict[str, Any]:
    """Return half a core, but a whole one in the tenth of each five minutes."""
    cpu_ms = second * 500 + (second // MINUTES) * 5000 + (5000 if second % MINUTES >= 100 else 0)
    gpu = {"uuid": "GPU-1", "busy_percent": busy, "memory_bytes": 1 << 30}
    return {
        "placement_id": str(rental.placement_id),
        "run": 1,
        "cpu_ms": cpu_ms,
        "memory_bytes": 1 << 20,
        "received_bytes": second * 100,
        "sent_bytes": second,
        "gpus": [gpu],
    }


def tell(*rentals: Rental, since: int, until: int) -> None:
    """Keep a reading for each ten seconds, as the machine of these tells it."""
    for second in range(since, until, 10):
        at = after(second)
        placements = {str(one.placement_id): used(one, second) for one in rentals}
        Reading.objects.update_or_create(
            machine_id=rentals[0].placement.machine_id,
            slot=slot_of(at),
            defaults={"at": at, "content": {"machine": {}, "placements": placements}},
        )
    rentals[0].placement.machine.__class__.objects.update(last_seen_at=after(until))


def seen(rental: Rental, span: Span, *, now: datetime) -> tuple[Summary, ...]:
    placement = rental.placement
    return queries.metrics(
        machine_id=placement.machine_id, placement_id=placement.id, span=span, now=now
    )


def test_each_five_minutes_are_kept_once_they_are_over(rental: Rental) -> None:
    summarise.summarise(now=after(1))
    tell(rental, since=0, until=2 * MINUTES + 30)
    assert summarise.summarise(now=after(MINUTES + 10)) == 0
    assert summarise.summarise(now=after(2 * MINUTES + 25)) == 2
    assert summarise.summarise(now=after(2 * MINUTES + 26)) == 0
    first, second = seen(rental, Span.DAY, now=after(HOUR))
    assert (first.at, second.at) == (NOW, after(MINUTES))
    # The first reading has none before it; the other stretch knows what was used since.
    assert second.cpu_milli == Figure(516, 1000)
    assert second.memory_bytes == Figure(1 << 20, 1 << 20)
    assert second.received_bytes_s == Figure(100, 100)
    assert second.gpus[0].busy_percent == Figure(50, 50)
    assert second.disk_used_bytes is None


def test_an_hour_is_kept_of_its_minutes_and_a_late_pass_loses_nothing_of_it(
    rental: Rental,
) -> None:
    summarise.summarise(now=NOW)
    tell(rental, since=0, until=HOUR)
    # Readings are an hour's ring, so what is older than that is gone.
    assert summarise.summarise(now=after(HOUR + 25)) == 12
    assert [one.at for one in seen(rental, Span.MONTH, now=after(2 * HOUR))] == [NOW]
    (hour,) = seen(rental, Span.MONTH, now=after(2 * HOUR))
    assert hour.cpu_milli is not None
    assert hour.cpu_milli.most == 1000
    assert 500 < hour.cpu_milli.mean < 520


def test_who_is_killed_on_the_way_begins_the_step_again(
    rental: Rental, monkeypatch: pytest.MonkeyPatch
) -> None:
    summarise.summarise(now=NOW)
    tell(rental, since=0, until=MINUTES)
    with monkeypatch.context() as killed:
        killed.setattr(Summed, "save", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            summarise.summarise(now=after(MINUTES + 25))
    before = seen(rental, Span.DAY, now=after(HOUR))
    assert summarise.summarise(now=after(MINUTES + 26)) == 1
    assert seen(rental, Span.DAY, now=after(HOUR)) == before
    assert UsageSummary.objects.count() == 1


def test_nothing_is_kept_of_what_is_no_rental_or_was_silent(rental: Rental) -> None:
    summarise.summarise(now=NOW)
    tell(rental, since=0, until=60)
    Placement.objects.update(kind=PlacementKind.REPLICA)
    assert summarise.summarise(now=after(MINUTES + 25)) == 0
    Placement.objects.update(kind=PlacementKind.RENTAL)
    assert summarise.summarise(now=after(2 * MINUTES + 25)) == 0
    assert not UsageSummary.objects.exists()


def test_what_is_older_than_its_span_is_forgotten(rental: Rental) -> None:
    for step_s in (Span.DAY.step_s, Span.MONTH.step_s):
        for second in (0, step_s):
            UsageSummary.objects.create(
                placement=rental.placement,
                step_s=step_s,
                at=after(second),
                content={"n": 1, "gpus": []},
            )
    forget(now=NOW + timedelta(days=1, seconds=1))
    left = UsageSummary.objects.order_by("step_s", "at").values_list("step_s", "at")
    assert list(left) == [(300, after(300)), (3600, NOW), (3600, after(3600))]
    forget(now=NOW + timedelta(days=32))
    assert not UsageSummary.objects.exists()


def test_a_pass_asks_the_same_however_many_rentals_a_machine_has(
    rental: Rental,
    market: Market,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    other = market.rent(alice, lease_s=60)
    summarise.summarise(now=NOW)
    tell(rental, other, since=0, until=MINUTES)
    # both marks and the first again, who spoke, readings, rentals, the rows and the mark
    with django_assert_num_queries(8):
        assert summarise.summarise(now=after(MINUTES + 25)) == 2


def test_renters_read_it_by_the_api_and_on_a_page_after_its_end_too(
    rental: Rental, renter: Client, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    summarise.summarise(now=NOW)
    tell(rental, since=0, until=2 * MINUTES)
    summarise.summarise(now=after(2 * MINUTES + 25))
    monkeypatch.setattr("django.utils.timezone.now", lambda: after(2 * MINUTES + 30))
    api, path = Api(alice), f"/rentals/{rental.id}"
    told = api.get(f"{path}/metrics").json()
    assert (told["span"], told["step_s"], len(told["points"])) == ("day", 300, 2)
    assert told["points"][1]["cpu_milli"] == {"mean": 516, "most": 1000}
    hour = api.get(f"{path}/metrics?span=hour").json()
    assert (hour["step_s"], len(hour["points"])) == (10, 60)
    assert api.get(f"{path}/metrics?span=month").json()["points"] == []
    assert api.get(f"{path}/metrics?span=year").status_code == 422
    assert Api(bob).get(f"{path}/metrics").status_code == 404

    columns = renter.get(f"{path}/usage.json?span=day").json()
    assert columns["at"] == [after(150).timestamp(), after(450).timestamp()]
    assert (columns["cpu"][1], columns["cpu_most"][1]) == (0.516, 1.0)
    assert columns["gpus"] == [{"busy": [50, 50], "memory": [1 << 30] * 2}]
    assert columns["cost"] == [0, 0]
    assert columns["span_s"] == 86_400
    page = renter.get(f"{path}/usage?span=day").content.decode()
    assert "0.52 (1.00)" in page
    assert 'href="?span=day" aria-current="page"' in page
    assert "There is nothing of it yet" in renter.get(f"{path}/usage?span=month").content.decode()
    Placement.objects.filter(id=rental.placement_id).update(
        state=PlacementState.RELEASED, ended_at=after(-86_400), deadline_at=None
    )
    for span, words in (("day", "0.52 (1.00)"), ("month", "There is nothing of it yet")):
        assert words in renter.get(f"{path}/usage?span={span}").content.decode()
    UsageSummary.objects.all().delete()
    page = renter.get(f"{path}/usage?span=day").content.decode()
    assert "Nothing of it is kept any more" in page
    shown = renter.get(f"{path}/usage?span=x").content.decode()
    assert "The last hour" in shown


def test_a_span_takes_the_same_queries_however_much_is_known(
    rental: Rental, renter: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    path = f"/rentals/{rental.id}/usage.json?span=month"
    renter.get(path)
    for second in (0, HOUR, 2 * HOUR):
        # session, user and what it acts for, rental, charges before and since, the summaries
        with django_assert_num_queries(7):
            renter.get(path)
        UsageSummary.objects.create(
            placement=rental.placement,
            step_s=HOUR,
            at=after(second - 3 * HOUR),
            content={"n": 1, "memory_bytes": [1, 1], "gpus": []},
        )
