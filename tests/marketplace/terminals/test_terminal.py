"""A terminal in a browser: it shows a shell, its key is gone once it has served, and it ends."""

import pytest
from django.contrib.sessions.models import Session
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.placements.models import Placement
from marketplace.rentals.actions import end as ending
from marketplace.rentals.actions import stop as stopping
from marketplace.rentals.models import Rental
from marketplace.terminals import application, shell, standing
from marketplace.terminals.models import TerminalSession
from marketplace.watch import in_thread
from tests.marketplace import scene
from tests.marketplace.terminals.house import House, Page, session_of


@pytest.fixture
def cookie(rental: Rental, alice: User) -> str:
    return session_of(alice)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "TICK_S", 0.01)


async def sessions() -> list[TerminalSession]:
    return await in_thread(lambda: list(TerminalSession.objects.order_by("opened_at", "id")))()


async def guests(rental: Rental) -> list[str]:
    found = await in_thread(Placement.objects.get)(id=rental.placement_id)
    return list(found.guest_keys)


async def test_what_is_typed_reaches_the_shell_and_what_it_says_is_shown(
    house: House, rental: Rental, cookie: str
) -> None:
    page = Page.of(rental.id, cookie)
    await page.open()
    page.type("grüße ☃\r".encode())
    await page.until(lambda: "<grüße ☃>".encode() in page.shown)
    page.tell(type="resize", columns=80, rows=24)
    page.type(b"more\r")
    await page.until(lambda: b"<more>" in page.shown)
    page.type(b"exit\r")
    assert await page.end() == "exited"
    assert house.sizes == [(100, 30), (80, 24)]
    assert house.users == ["root"]


async def test_its_key_opens_the_rental_only_until_it_has_logged_in(
    house: House, rental: Rental, cookie: str
) -> None:
    before = await in_thread(house.admitted)()
    page = Page.of(rental.id, cookie)
    await page.open()
    await page.until(lambda: page.is_open)
    (session,) = await sessions()
    assert (session.admitted, session.ended_at) == ("", None)
    assert await in_thread(house.admitted)() == before
    await page.leave()
    (session,) = await sessions()
    assert session.end_code == "left"


async def test_a_key_that_the_machine_never_let_in_is_taken_away(
    house: House, rental: Rental, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.deaf = True
    monkeypatch.setattr(shell, "ADMIT_S", 3)
    page = Page.of(rental.id, cookie)
    await page.knock()
    page.tell(type="open", columns=80, rows=24)
    assert await page.end() == "not_admitted"
    assert house.tried > 1
    assert await guests(rental) == []


async def test_a_door_with_another_host_key_is_told_nothing(
    house: House, rental: Rental, cookie: str
) -> None:
    placement = Placement.objects.filter(id=rental.placement_id)
    await in_thread(placement.update)(ssh_host_key=scene.HOST_KEY)
    page = Page.of(rental.id, cookie)
    await page.knock()
    page.tell(type="open", columns=80, rows=24)
    assert await page.end() == "wrong_host_key"
    assert house.tried == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "localhost"])
async def test_no_terminal_leads_into_our_own_network(
    house: House, rental: Rental, cookie: str, address: str, settings: Settings
) -> None:
    settings.PRIVATE_MACHINES = False
    await in_thread(Placement.objects.filter(id=rental.placement_id).update)(ssh_host=address)
    page = Page.of(rental.id, cookie)
    await page.knock()
    page.tell(type="open", columns=80, rows=24)
    assert await page.end() == "unreachable"
    assert house.tried == 0


@pytest.mark.parametrize("verb", ["stop", "end"])
async def test_it_closes_when_the_rental_stops_or_ends(
    house: House, rental: Rental, alice: User, cookie: str, verb: str
) -> None:
    page = Page.of(rental.id, cookie)
    await page.open()
    act = stopping.stop if verb == "stop" else ending.end
    await in_thread(act)(rental_id=rental.id, renter_id=alice.pk, now=scene.after(5))
    assert await page.end() == "rental_over"


async def test_it_closes_when_its_person_logs_out(
    house: House, rental: Rental, cookie: str
) -> None:
    page = Page.of(rental.id, cookie)
    await page.open()
    await in_thread(Session.objects.filter(session_key=cookie).delete)()
    assert await page.end() == "logged_out"


async def test_it_closes_when_the_password_changes(
    house: House, rental: Rental, alice: User, cookie: str
) -> None:
    page = Page.of(rental.id, cookie)
    await page.open()

    def change() -> None:
        alice.set_password("another horse battery")
        alice.save()

    await in_thread(change)()
    assert await page.end() == "logged_out"


async def test_it_closes_when_nothing_is_typed(
    house: House, rental: Rental, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "IDLE_S_MAX", 0.05)
    page = Page.of(rental.id, cookie)
    assert await page.knock() == "websocket.accept"
    page.tell(type="open", columns=80, rows=24)
    assert await page.end() == "idle"


async def test_it_closes_after_its_time_whatever_is_typed(
    house: House, rental: Rental, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "OPEN_S_MAX", 0.05)
    page = Page.of(rental.id, cookie)
    assert await page.knock() == "websocket.accept"
    page.tell(type="open", columns=80, rows=24)
    page.type(b"busy\r")
    assert await page.end() == "too_long"
