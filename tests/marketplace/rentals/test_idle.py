"""A rental that its renter wants stopped when idle is stopped then, and never for silence."""

import json
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.placement import PlacementState
from marketplace.notices.actions.tell_rentals import tell_rentals
from marketplace.notices.models import Notice
from marketplace.rentals import queries
from marketplace.rentals.actions.set_idle_rule import set_idle_rule
from marketplace.rentals.actions.stop_idle import stop_idle
from marketplace.rentals.models import IdleRule, Rental
from marketplace.rentals.rental_view import IdleRuleView
from marketplace.telemetry.models import Reading
from tests.marketplace import scene
from tests.marketplace.broken import break_row
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.rentals.market import Market

__all__ = ["browser_of", "market", "renter"]


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    found = market.rent(alice)
    market.run(found, at=scene.after(1))
    set_idle_rule(
        rental_id=found.id, renter_id=alice.pk, after_s=600, below_percent=10, now=scene.after(2)
    )
    return found


def read(*rentals: Rental, first: int, last: int, milli: int) -> None:
    """Keep readings every ten seconds at a steady use, as the machine's syncs would."""
    Reading.objects.bulk_create(
        Reading(
            machine_id=rentals[0].placement.machine_id,
            slot=second // 10,
            at=scene.after(second),
            content={
                "placements": {
                    str(rental.placement_id): {
                        "placement_id": str(rental.placement_id),
                        "run": 1,
                        "cpu_ms": second * milli,
                        "memory_bytes": 1,
                    }
                    for rental in rentals
                }
            },
        )
        for second in range(first, last + 1, 10)
    )


def state(rental: Rental) -> str:
    rental.placement.refresh_from_db()
    return rental.placement.state


def test_it_is_stopped_after_ten_idle_minutes_and_told_at_half_time(
    rental: Rental, alice: User
) -> None:
    tell_rentals(now=scene.after(3))
    read(rental, first=10, last=330, milli=90)
    assert stop_idle(now=scene.after(330)) == 0
    assert tell_rentals(now=scene.after(331)) == 1
    assert tell_rentals(now=scene.after(332)) == 0
    assert Notice.objects.get(user=alice).kind == "rental_idle"
    read(rental, first=340, last=620, milli=90)
    assert stop_idle(now=scene.after(619)) == 0
    assert stop_idle(now=scene.after(650)) == 1
    assert state(rental) == PlacementState.STOPPING
    assert rental.placement.reason_code == "idle"
    assert "CPUs were below 10 % for 10 minutes" in rental.placement.reason


@pytest.mark.parametrize("kind", ["busy", "silent"])
def test_use_and_silence_stop_nothing(rental: Rental, kind: str) -> None:
    read(rental, first=10, last=620, milli=100 if kind == "busy" else 0)
    if kind == "silent":
        Reading.objects.filter(at__gt=scene.after(300), at__lt=scene.after(400)).delete()
    assert stop_idle(now=scene.after(620)) == 0
    assert state(rental) == PlacementState.RUNNING


def test_no_number_of_rules_keeps_one_from_its_turn(
    market: Market, rental: Rental, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.rentals.actions.stop_idle.RULES_MAX", 1)
    new, next_one = (market.rent(alice, lease_s=1200) for _ in range(2))
    for one in (new, next_one):
        market.run(one, at=scene.after(1))
        set_idle_rule(
            rental_id=one.id, renter_id=alice.pk, after_s=600, below_percent=10, now=scene.after(2)
        )
    read(rental, new, next_one, first=10, last=650, milli=0)
    for one, second in ((rental, 500), (next_one, 550)):
        IdleRule.objects.filter(rental=one).update(checked_at=scene.after(second))
    break_row(rental.placement)
    # First who was never looked at; whoever cannot be looked at takes nobody's turn.
    assert [stop_idle(now=scene.after(second)) for second in (650, 651, 652)] == [1, 1, 0]
    assert [state(one) for one in (rental, new, next_one)] == ["running", "stopping", "stopping"]


def test_the_rule_is_set_and_taken_off_by_the_api(rental: Rental, alice: User, bob: User) -> None:
    def call(user: User, method: str, told: dict[str, Any] | None = None) -> Any:
        secret = issue(user_id=user.pk, name="t", now=scene.NOW).secret
        client = Client(headers={"authorization": f"Bearer {secret}"})
        path = f"/api/v1/rentals/{rental.id}/idle-rule"
        return getattr(client, method)(path, json.dumps(told or {}), "application/json")

    assert call(bob, "put", {"after_s": 900}).status_code == 404
    assert call(alice, "put", {"after_s": 599}).status_code == 422
    assert call(alice, "put", {"after_s": 900}).json()["below_percent"] == 5
    assert IdleRule.objects.get().after_s == 900
    assert call(alice, "put", {"after_s": 1200, "below_percent": 7}).status_code == 200
    told = queries.view(rental.id, alice.pk, scene.NOW).idle_rule
    assert told == IdleRuleView(after_s=1200, below_percent=7, idle_since=None)
    assert call(alice, "delete").status_code == 204
    assert not IdleRule.objects.exists()
    Rental.objects.update(price_type="reserved")
    assert call(alice, "put", {"after_s": 900}).json()["code"] == "reserved"


def test_the_rule_is_set_and_taken_off_by_a_form(rental: Rental, renter: Client) -> None:
    url = f"/rentals/{rental.id}/"
    page = renter.get(url)
    assert page.context["idle_form"].initial == {"after_minutes": 10, "below_percent": 10}
    assert "after 10 min below 10 %" in page.content.decode()
    wrong = renter.post(f"{url}idle", {"after_minutes": "9", "below_percent": "5"})
    assert (wrong.status_code, IdleRule.objects.get().after_s) == (422, 600)
    renter.post(f"{url}idle", {"after_minutes": "30", "below_percent": "7"})
    assert (IdleRule.objects.get().after_s, IdleRule.objects.get().below_percent) == (1800, 7)
    done = renter.post(f"{url}idle", {"after_minutes": "", "below_percent": "7"}, follow=True)
    assert not IdleRule.objects.exists()
    assert "Stops idle" not in done.content.decode()
    Rental.objects.update(price_type="reserved")
    told = renter.post(f"{url}idle", {"after_minutes": "30", "below_percent": "7"}, follow=True)
    assert "so it has no idle rule" in told.content.decode()
    unknown = f"/rentals/{rental.placement_id}/idle"
    assert renter.post(unknown, {"below_percent": "7"}).status_code == 404
