"""The bill of a rental, in a browser and over the API."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.delivered import Effect
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import hold as holds
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.pages import wording
from marketplace.placements.models import DoorShut, Placement, PlacementEvent
from marketplace.rentals.models import Rental, RentalProof
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import NOW, after


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    """It began two minutes ago, and its door was shut for a minute and twelve seconds."""
    rental = market.rent(alice, now=NOW - timedelta(seconds=120))
    DoorShut.objects.create(placement_id=rental.placement_id, since=after(-80), until=after(-8))
    return rental


def test_the_page_says_what_was_not_charged_and_why(renter: Client, rental: Rental) -> None:
    page = renter.get(f"/rentals/{rental.id}/bill").content.decode()
    assert "<li>2 min not charged: its machine was preparing it</li>" in page
    assert (
        f'href="/rentals/{rental.id}/bill"' in renter.get(f"/rentals/{rental.id}/").content.decode()
    )


def test_the_api_says_the_same(client: Client, rental: Rental, alice: User) -> None:
    key = issue(user_id=alice.pk, name="k", now=NOW).secret
    reply = client.get(
        f"/api/v1/rentals/{rental.id}/bill", headers={"Authorization": f"Bearer {key}"}
    ).json()
    assert (reply["total_ms"], reply["billed_ms"], reply["total_microusd"]) == (120_000, 0, 0)
    assert [(one["reason"], one["ms"]) for one in reply["unbilled"]] == [("preparing", 120_000)]


def test_nobody_else_sees_it(
    browser_of: Callable[[User], Client], rental: Rental, bob: User
) -> None:
    assert browser_of(bob).get(f"/rentals/{rental.id}/bill").status_code == 404


def test_a_line_of_the_statement_says_what_was_not_charged_and_why(
    renter: Client, rental: Rental, alice: User, charlie: User
) -> None:
    Placement.objects.update(running_at=after(-100), reachable_at=after(-99), state="running")
    PlacementEvent.objects.create(
        placement_id=rental.placement_id, at=after(-100), event="told", new_state="running"
    )
    holds.capture(
        hold_id=rental.meter.hold_id,
        amount_microusd=MicroUsd(10),
        host_user_id=charlie.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(1),
        cause="charged",
        now=NOW,
    )
    page = renter.get("/money/").content.decode()
    told = {
        "20 s not charged: its machine was preparing it",
        "1 s not charged: its SSH door had not been seen from outside yet",
        "1 min 12 s not charged: its SSH door was shut",
    }
    assert all(f'<span class="sub">{one}</span>' in page for one in told)
    key = issue(user_id=alice.pk, name="k", now=NOW).secret
    headers = {"Authorization": f"Bearer {key}"}
    (line, *_) = Client().get("/api/v1/statement", headers=headers).json()["items"]
    assert line["title"] == f"Rental {str(rental.id)[:8]}"
    assert f"<span>{line['title']}<span" in page
    shut = {"reason": "door_shut", "sentence": "its SSH door was shut", "ms": 72_000}
    assert shut in line["unbilled"]


def test_what_a_proof_gave_back_is_on_page_and_bill(
    renter: Client, rental: Rental, alice: User
) -> None:
    RentalProof.objects.create(
        rental=rental, state="passed", asked_at=NOW, expires_at=NOW, ended_at=NOW,
        effect=Effect.LESS, delivered_ppm=700_000, returned_microusd=30_000, counted_at=NOW,
        signed={"report": {"measurement": {"cpus": 1, "cpu_hash_rate": 1_400_000}}},
    )  # fmt: skip
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert "It delivers less than 90 % of what was listed" in page
    assert "$0.03 came back." in page
    assert f"{wording.rate(2_000_000)} listed</td>" in page
    bill = renter.get(f"/rentals/{rental.id}/bill").content.decode()
    assert "a proof showed 70.0 % of what was listed" in bill
    assert "-$0.03" in bill
    key = issue(user_id=alice.pk, name="k", now=NOW).secret
    headers = {"Authorization": f"Bearer {key}"}
    told = Client().get(f"/api/v1/rentals/{rental.id}/bill", headers=headers).json()
    assert [one["microusd"] for one in told["given_back"]] == [30_000]
    (proof,) = Client().get(f"/api/v1/rentals/{rental.id}/proofs", headers=headers).json()["items"]
    assert (proof["effect"], proof["delivered_ppm"]) == ("less", 700_000)
    assert proof["sentence"].startswith("It delivers less than 90 %")
