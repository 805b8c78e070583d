"""Who hears of a rental's changes, of which, and when a stream is over."""

from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from marketplace.accounts.models import Membership, User
from marketplace.domain.team import Role
from marketplace.live import application, audience, queries
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.browsers import enter
from tests.marketplace.live.pages import Page, refused
from tests.marketplace.rentals.market import Market
from tests.marketplace.teams import acting_for, team_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_let_go")]


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    # Log-ins and memberships are looked at by the real clock.
    monkeypatch.setattr(scene, "NOW", timezone.now())
    return Market.open(charlie)


@pytest.fixture
def team(alice: User, bob: User, rental: Rental) -> User:
    """Bob is in it, and the rental is the team's."""
    made = team_of(alice, timezone.now(), bob=(bob, Role.MEMBER))
    Rental.objects.update(renter=made)
    return made


async def test_only_the_renter_hears_of_a_rental(
    rental: Rental, browser: Client, bob: User
) -> None:
    bobs = await sync_to_async(enter)(Client(), bob)
    assert await refused(Page(rental.id, None)) == 403
    assert await refused(Page(rental.id, bobs)) == 404
    assert await refused(Page(uuid4(), browser)) == 404
    assert await refused(Page(rental.id, browser, host="elsewhere.example")) == 400
    posts = Page(rental.id, browser, method="POST")
    assert await refused(posts) == 405
    assert posts.headers[b"allow"] == b"GET"


async def test_a_cookie_that_nobody_got_opens_nothing(rental: Rental, browser: Client) -> None:
    browser.cookies["sessionid"] = "x" * 32
    assert await refused(Page(rental.id, browser)) == 403


async def test_a_team_is_heard_of_by_those_whose_role_reads_rentals(
    team: User, rental: Rental, bob: User
) -> None:
    bobs = await sync_to_async(acting_for)(team, bob)
    async with Page(rental.id, bobs).open() as page:
        assert await page.status() == 200
    await Membership.objects.filter(person=bob).aupdate(role=Role.BILLING)
    assert await refused(Page(rental.id, bobs)) == 403
    # For themselves they rent nothing.
    own = await sync_to_async(enter)(Client(), bob)
    assert await refused(Page(rental.id, own)) == 404


async def test_a_page_hears_of_each_change_to_the_rentals_end(
    rental: Rental, browser: Client, market: Market
) -> None:
    async with Page(rental.id, browser).open() as page:
        assert await page.status() == 200
        assert page.headers[b"content-type"] == b"text/event-stream"
        assert page.headers[b"cache-control"] == b"no-store"
        assert page.headers[b"x-accel-buffering"] == b"no"
        assert await page.said() == "retry: 1000\n\n"
        first = await page.event()
        assert (first["event"], first["data"]) == ("changed", "0")
        await sync_to_async(market.run)(rental, at=scene.after(1))
        assert (await page.event())["id"] != first["id"]
        await sync_to_async(market.end)(rental, at=scene.after(2))
        kinds = []
        while event := await page.event():
            kinds.append(event["event"])
        assert kinds[-2:] == ["changed", "settled"]


@pytest.mark.parametrize("comes_again", [False, True])
async def test_a_page_hears_nothing_of_what_it_shows(
    rental: Rental, browser: Client, market: Market, comes_again: bool
) -> None:
    shown = await sync_to_async(queries.version)(rental.id)
    told = {"seen": "older", "last_event_id": shown} if comes_again else {"seen": shown}
    async with Page(rental.id, browser, **told).open() as page:
        assert await page.status() == 200
        async with Page(rental.id, browser).open() as other:
            await other.status()
            # By now the rental was looked at.
            assert (await other.event())["id"] == shown
        await sync_to_async(market.run)(rental, at=scene.after(1))
        assert (await page.event())["id"] != shown


@pytest.mark.parametrize("lost", ["log-in", "password", "membership", "role", "team", "person"])
async def test_whoever_may_not_see_it_any_more_is_cut_off(
    team: User, rental: Rental, bob: User, lost: str
) -> None:
    bobs = await sync_to_async(acting_for)(team, bob)
    async with Page(rental.id, bobs).open() as page:
        assert await page.status() == 200
        assert (await page.event())["event"] == "changed"
        if lost == "log-in":
            await bobs.session.adelete()
        elif lost == "password":
            await sync_to_async(bob.set_password)("another one")
            await bob.asave()
        elif lost == "membership":
            await Membership.objects.filter(person=bob).adelete()
        elif lost == "role":
            await Membership.objects.filter(person=bob).aupdate(role=Role.BILLING)
        else:
            gone = team if lost == "team" else bob
            await User.objects.filter(pk=gone.pk).aupdate(is_active=False)
        assert await page.event() == {}
    assert await refused(Page(rental.id, bobs)) == 403


async def test_a_rental_that_was_taken_off_the_list_is_heard_of_no_more(
    rental: Rental, browser: Client
) -> None:
    async with Page(rental.id, browser).open() as page:
        assert await page.status() == 200
        assert (await page.event())["event"] == "changed"
        await Rental.objects.aupdate(forgotten_at=scene.NOW)
        assert await page.event() == {}
    assert await refused(Page(rental.id, browser)) == 404


async def test_of_more_streams_than_a_person_may_have_the_last_is_refused(
    rental: Rental, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "STREAMS_A_PERSON_MAX", 2)
    async with AsyncExitStack() as stack:
        # All at once: none of them counts before the others ask.
        pages = [await stack.enter_async_context(Page(rental.id, browser).open()) for _ in range(3)]
        assert sorted([await page.status() for page in pages]) == [200, 200, 503]
    assert not audience.of_this_process().is_full((await User.objects.aget(rentals=rental)).pk)


async def test_a_quiet_stream_says_that_it_is_there_and_ends_in_time(
    rental: Rental, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "HEARTBEAT_S", 0.01)
    shown = await sync_to_async(queries.version)(rental.id)
    async with Page(rental.id, browser, seen=shown).open() as page:
        assert await page.status() == 200
        assert [await page.said() for _ in range(2)] == ["retry: 1000\n\n", ": still here\n\n"]
    monkeypatch.setattr(application, "STREAM_S_MAX", 0)
    async with Page(rental.id, browser, seen=shown).open() as page:
        assert await page.status() == 200
        assert await page.event() == {}


async def test_pages_that_are_told_together_ask_one_after_another(
    rental: Rental, browser: Client
) -> None:
    async with Page(rental.id, browser).open() as one, Page(rental.id, browser).open() as other:
        for page in (one, other):
            await page.status()
            await page.event()
        await Rental.objects.aupdate(worst_total_microusd=1)
        spread = {(await page.event())["data"] for page in (one, other)}
        assert spread == {str(application.PANEL_MS)}
        # Who comes later than all others were told asks at once.
        async with Page(rental.id, browser).open() as late:
            await late.status()
            assert (await late.event())["data"] == "0"
