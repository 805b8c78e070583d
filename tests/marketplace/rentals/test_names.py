"""A renter names rentals, and finds them by name, id and state; nobody else reads the names."""

from itertools import product
from uuid import UUID

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.domain.placement import LIVE, PlacementState
from marketplace.domain.rental import RentalState, state_of
from marketplace.domain.text import TextRefused
from marketplace.metering.models import Meter
from marketplace.notices.actions.tell_outbid import tell_outbid
from marketplace.notices.models import Notice
from marketplace.placements.models import Placement
from marketplace.rentals import filters, names, queries
from marketplace.rentals.actions import rename
from marketplace.rentals.models import Rental
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import NOW, after
from tests.marketplace.test_api import Api

__all__ = ["browser_of", "market", "renter"]

NAME = "Training run 7"
IDS = ("ab12cd34-0000-4000-8000-000000000000", "ab99cd34-ffff-4fff-8fff-ffffffffffff")


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    return market.rent(alice, name=f" {NAME}\u00a0")


def found(alice: User, text: str) -> list[str]:
    page = queries.views(alice.pk, wanted=filters.searched(text), now=NOW)
    return [str(view.id)[:2] for view in page.items]


def test_a_name_is_kept_on_one_line_and_names_the_rental_where_it_is_spoken_of(
    rental: Rental, alice: User
) -> None:
    assert rental.name == NAME
    assert rental.called == f"{NAME} ({str(rental.id)[:8]})"
    Placement.objects.update(bid_hour_microusd=1, outbid_stop_at=after(60))
    tell_outbid(now=NOW)
    assert Notice.objects.get().title == f"Your rental {rental.called} was outbid"
    rename.rename(rental_id=rental.id, renter_id=alice.pk, name="")
    rental.refresh_from_db()
    assert rental.called == str(rental.id)[:8]


def test_another_name_with_the_same_key_is_another_request(
    rental: Rental, market: Market, alice: User
) -> None:
    key = rental.idempotency_key
    assert market.rent(alice, name=NAME, idempotency_key=key) == rental
    with pytest.raises(queries.Refused) as refused:
        market.rent(alice, name="other", idempotency_key=key)
    assert refused.value.code == "idempotency_conflict"


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2J", "turn\u202e"])
def test_what_nobody_can_see_is_in_no_name(rental: Rental, alice: User, name: str) -> None:
    with pytest.raises(TextRefused):
        rename.rename(rental_id=rental.id, renter_id=alice.pk, name=name)
    rental.refresh_from_db()
    assert rental.name == NAME


def test_nobody_renames_what_is_not_theirs_or_off_their_list(
    rental: Rental, alice: User, bob: User
) -> None:
    with pytest.raises(queries.RentalUnknown):
        rename.rename(rental_id=rental.id, renter_id=bob.pk, name="mine")
    Rental.objects.update(forgotten_at=NOW)
    with pytest.raises(queries.RentalUnknown):
        rename.rename(rental_id=rental.id, renter_id=alice.pk, name="mine")


def test_the_api_names_it_whatever_it_does(rental: Rental, market: Market, alice: User) -> None:
    api = Api(alice)
    path = f"/rentals/{rental.id}"
    assert api.get(path).json()["name"] == NAME
    # What is not asked for stays, so that one that does not run has no change to refuse.
    Placement.objects.update(state=PlacementState.STOPPED)
    assert api.patch(path, {"name": "b", "image": None}).json()["name"] == "b"
    assert api.patch(path, {"name": None}).json()["code"] == "not_running"
    refused = api.patch(path, {"name": "c", "image": "debian:13"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_running")
    assert api.get(path).json()["name"] == "b"
    too_long = api.patch(path, {"name": "x" * (names.NAME_LENGTH_MAX + 1)})
    assert (too_long.status_code, too_long.json()["code"]) == (422, "invalid")
    assert api.patch(path, {"name": "a\u202eb"}).json()["code"] == "text_invalid"
    assert api.patch(path, {"name": ""}).json()["name"] == ""


def test_its_host_reads_no_name(rental: Rental, market: Market, charlie: User) -> None:
    api = Api(charlie)
    for path in ("/host/machines", f"/host/machines/{market.machine.id}", "/host/earnings"):
        reply = api.get(path)
        assert reply.status_code == 200
        assert NAME.encode() not in reply.content, path


def test_a_search_finds_parts_of_names_and_beginnings_of_ids(
    rental: Rental, market: Market, alice: User, bob: User
) -> None:
    Rental.objects.all().delete()
    for number, (one, name) in enumerate(zip(IDS, ("First 100%", "second_ab"), strict=True)):
        made = market.rent(alice, now=after(number), lease_s=60)
        Rental.objects.filter(pk=made.pk).update(id=UUID(one), name=name)
    assert found(alice, "") == found(alice, " AB ") == ["ab", "ab"]
    assert queries.views(alice.pk, wanted=filters.searched("ab1"), now=NOW).items[0].name[0] == "F"
    assert len(found(alice, IDS[0][:12].upper())) == len(found(alice, IDS[1])) == 1
    assert len(found(alice, "first")) == len(found(alice, "100%")) == len(found(alice, "d_a")) == 1
    assert found(alice, "ab12cd35") == found(alice, "%f") == found(alice, "a" * 33) == []
    assert found(bob, "ab") == []


def test_a_state_is_asked_for_as_it_is_told(rental: Rental, alice: User) -> None:
    for state, reachable_at, closed_at in product(PlacementState, (None, NOW), (None, NOW)):
        lives = state in LIVE
        Placement.objects.update(
            state=state,
            reachable_at=reachable_at,
            deadline_at=NOW if lives else None,
            ended_at=None if lives else NOW,
        )
        Meter.objects.update(closed_at=closed_at)
        told = state_of(state, reachable_at=reachable_at, settled=closed_at is not None)
        asked = [one for one in RentalState if _is_in(one)]
        assert asked == [told], (state, reachable_at, closed_at)
        assert _is_in(filters.Group.OVER) == (not _is_in(filters.Group.LIVE)) == bool(closed_at)


def _is_in(state: filters.Group | RentalState) -> bool:
    return Rental.objects.filter(filters.in_state(state)).exists()


def test_the_api_lists_by_state_and_text_page_by_page(
    rental: Rental, market: Market, alice: User
) -> None:
    api = Api(alice)
    for number in range(2):
        market.rent(alice, now=after(number + 1), lease_s=60, name=f"other {number}")

    def listed(asked: str) -> list[str]:
        return [one["name"] for one in api.get(f"/rentals?{asked}").json()["items"]]

    assert listed("q=OTHER") == ["other 1", "other 0"]
    assert listed(f"q=other&cursor={Rental.objects.get(name='other 1').id}") == ["other 0"]
    assert listed("state=queued&q=run") == listed("state=all&q=n%207") == [NAME]
    assert listed("state=over") == listed("state=active") == []
    assert api.get("/rentals?state=nonsense").status_code == 422
    assert api.get(f"/rentals?q={'x' * 61}").status_code == 422
