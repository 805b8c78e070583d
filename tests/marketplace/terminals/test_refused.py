"""Who gets no terminal: other sites' pages, strangers, other renters, and one too many."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.team import Role
from marketplace.domain.terminal import STALE_S
from marketplace.placements.models import Placement
from marketplace.rentals.actions import stop as stopping
from marketplace.rentals.models import Rental
from marketplace.terminals import application, standing
from marketplace.terminals.actions import open as opening
from marketplace.terminals.actions.forget import forget
from marketplace.terminals.actions.open import NotOpen, TooManyTerminals, ask, open_session
from marketplace.terminals.models import TerminalSession
from marketplace.watch import in_thread
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.teams import acting_for, team_of
from tests.marketplace.terminals.house import House, Page, session_of

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVqPHVPv3bVtVhUTaUfDqBTbCjWEtFEqPHfrdHHvUmK"


@pytest.fixture
def cookie(rental: Rental, alice: User) -> str:
    return session_of(alice)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "https://localhost"},
        {"origin": "http://localhost:8001"},
        {"origin": "null"},
        {"origin": ""},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"cookie": ""},
        {"cookie": "sessionid=nothing"},
    ],
    ids=str,
)
async def test_no_other_site_and_no_stranger_gets_a_socket(
    house: House, rental: Rental, cookie: str, headers: dict[str, str]
) -> None:
    page = Page.of(rental.id, cookie, **headers)
    assert await page.knock() == "websocket.close"
    await page.done()


async def test_a_trusted_origin_gets_one(
    house: House, rental: Rental, cookie: str, settings: Settings
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ("https://berth.example",)
    page = Page.of(rental.id, cookie, origin="https://berth.example")
    assert await page.knock() == "websocket.accept"
    await page.leave()


async def test_another_renter_gets_no_terminal(house: House, rental: Rental, bob: User) -> None:
    page = Page.of(rental.id, await in_thread(session_of)(bob))
    await page.knock()
    page.tell(type="open", columns=80, rows=24)
    assert await page.end() == ""
    assert house.tried == 0
    assert await in_thread(TerminalSession.objects.count)() == 0


@pytest.mark.parametrize("path", ["/", "/rentals/1/terminal/socket", "/rentals/../admin"])
async def test_there_are_sockets_nowhere_else(rental: Rental, cookie: str, path: str) -> None:
    page = Page.of(rental.id, cookie)
    page.path = path
    assert await page.knock() == "websocket.close"
    await page.done()


@pytest.mark.parametrize(
    "told", [{"type": "open"}, {"type": "resize", "columns": 80, "rows": 24}, {"type": 7}], ids=str
)
async def test_a_page_that_asks_for_nothing_gets_nothing(
    house: House, rental: Rental, cookie: str, told: dict[str, object]
) -> None:
    page = Page.of(rental.id, cookie)
    await page.knock()
    page.tell(**told)
    assert await page.end() == "malformed"
    assert house.tried == 0


async def test_pages_that_say_nothing_take_nobodys_place(
    house: House, rental: Rental, cookie: str, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "TERMINALS_MAX", 1)
    strange = await in_thread(session_of)(bob)
    silent = [Page.of(rental.id, strange) for _ in range(standing.UNHEARD_A_PERSON_MAX)]
    for page in silent:
        await page.knock()
    # No further one of theirs is even heard; others log in.
    one_more = Page.of(rental.id, strange)
    await one_more.knock()
    assert await one_more.end() == "full"
    page = Page.of(rental.id, cookie)
    await page.open()
    await page.leave()
    for page in silent:
        await page.leave()


async def test_a_page_that_says_nothing_is_closed(
    house: House, rental: Rental, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "OPEN_S", 0.01)
    page = Page.of(rental.id, cookie)
    await page.knock()
    assert await page.end() == "malformed"


async def test_who_asked_too_often_takes_nobodys_place(
    house: House, rental: Rental, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "OPENED", replace(opening.OPENED, attempts_max=1))
    await in_thread(ask)(
        rental_id=rental.id,
        renter_id=rental.renter_id,
        person_id=rental.renter_id,
        now=timezone.now(),
    )
    # Were a place taken first, it would be told that there is none.
    monkeypatch.setattr(standing, "TERMINALS_MAX", 0)
    page = Page.of(rental.id, cookie)
    await page.knock()
    page.tell(type="open", columns=80, rows=24)
    assert await page.end() == "rate_limited"


async def test_one_person_does_not_take_the_room_of_all_others(
    house: House, rental: Rental, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "OPEN_A_PERSON_MAX", 1)
    first, second = Page.of(rental.id, cookie), Page.of(rental.id, cookie)
    await first.open()
    await second.knock()
    second.tell(type="open", columns=80, rows=24)
    assert await second.end() == "full"
    await first.leave()


async def test_a_full_process_opens_no_further_one(
    house: House, rental: Rental, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "TERMINALS_MAX", 0)
    page = Page.of(rental.id, cookie)
    await page.knock()
    page.tell(type="open", columns=80, rows=24)
    assert await page.end() == "full"
    assert house.tried == 0


def opened(
    rental: Rental, *, by: User | None = None, after: timedelta = timedelta(0)
) -> opening.Opened:
    return open_session(
        rental_id=rental.id,
        renter_id=rental.renter_id,
        person_id=by.pk if by else rental.renter_id,
        public_key=PUBLIC,
        now=timezone.now() + after,
    )


def test_a_key_may_only_open_a_terminal(rental: Rental) -> None:
    opened(rental)
    rental.placement.refresh_from_db()
    assert rental.placement.guest_keys == [f"restrict,pty {PUBLIC}"]
    # The renter's own keys are what they were.
    assert len(rental.placement.authorized_keys) == 1


def test_one_rental_has_so_many_terminals_and_one_person_so_many(
    market: Market, rental: Rental, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "OPEN_A_RENTAL_MAX", 2)
    monkeypatch.setattr(opening, "OPEN_A_PERSON_MAX", 3)
    other = market.rent(alice, now=timezone.now())
    market.run(other, at=timezone.now(), door_after_s=0)
    for _ in range(2):
        opened(rental)
    with pytest.raises(TooManyTerminals, match="in this rental"):
        opened(rental)
    opened(other)
    with pytest.raises(TooManyTerminals, match="You have"):
        opened(other)
    # One whose process is gone counts no more.
    opened(other, after=timedelta(seconds=STALE_S + 1))


def test_in_a_team_nobody_takes_the_others_places(
    market: Market,
    rental: Rental,
    alice: User,
    bob: User,
    give: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, most in (("RENTAL", 1), ("PERSON", 2), ("TEAMS_RENTAL", 2), ("TEAM", 3)):
        monkeypatch.setattr(opening, f"OPEN_A_{name}_MAX", most)
    team = team_of(alice, timezone.now(), bob=(bob, Role.MEMBER))
    give(team, 100_000_000)
    give_key(team)
    first, second = (market.rent(team, now=timezone.now()) for _ in range(2))
    for one in (first, second):
        market.run(one, at=timezone.now(), door_after_s=0)
    opened(first, by=alice)
    with pytest.raises(TooManyTerminals, match="of yours are open in this rental"):
        opened(first, by=alice)
    opened(first, by=bob)
    opened(second, by=alice)
    # Whomever they act for, a person has so many.
    with pytest.raises(TooManyTerminals, match="You have 2"):
        opened(rental)
    with pytest.raises(TooManyTerminals, match="Your team has 3"):
        opened(second, by=bob)
    monkeypatch.setattr(opening, "OPEN_A_TEAM_MAX", 9)
    monkeypatch.setattr(opening, "OPEN_A_TEAMS_RENTAL_MAX", 1)
    with pytest.raises(TooManyTerminals, match="open in this rental; use ssh"):
        opened(second, by=bob)
    # Whose shell it was is known, and the owners read it.
    held = TerminalSession.objects.order_by("opened_at", "id")
    assert [(one.user_id, one.person_id) for one in held] == [
        (team.pk, alice.pk),
        (team.pk, bob.pk),
        (team.pk, alice.pk),
    ]
    log = acting_for(team, alice).get(f"/teams/{team.pk}/log/").content.decode()
    assert log.count("opened a terminal in a browser") == 3
    assert f"/rentals/{second.id}/" in log


def test_what_does_not_run_has_no_terminal(market: Market, rental: Rental, alice: User) -> None:
    stopping.stop(rental_id=rental.id, renter_id=alice.pk, now=timezone.now())
    with pytest.raises(NotOpen):
        opened(rental)
    assert not TerminalSession.objects.exists()


def test_a_key_whose_process_is_gone_is_taken_away(rental: Rental) -> None:
    one = opened(rental)
    assert forget(now=timezone.now()) == 0
    assert forget(now=timezone.now() + timedelta(seconds=STALE_S + 1)) == 1
    assert Placement.objects.get(id=rental.placement_id).guest_keys == []
    session = TerminalSession.objects.get(id=one.session_id)
    assert (session.admitted, session.end_code) == ("", "lost")


def test_old_ones_are_forgotten(rental: Rental) -> None:
    opened(rental)
    forget(now=timezone.now() + timedelta(days=1))
    assert TerminalSession.objects.count() == 1
    forget(now=timezone.now() + timedelta(days=31))
    assert TerminalSession.objects.count() == 0
