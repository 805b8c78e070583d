"""No page of another site sends a form in somebody's name, and no link leads from here to one."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.models import User
from tests.browser.world import World, routes
from tests.marketplace import staffed
from tests.marketplace.browsers import enter
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.hostile.everybody import Browser, address, form
from tests.marketplace.hostile.programs import call, operations, path_of
from tests.marketplace.rentals.market import ALICES_KEY

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "https:evil.example",
    "javascript:alert(1)//evil.example",
    "/%09/evil.example/",
    "\t//evil.example/",
)
LEADS_AWAY = re.compile(r"\s*(?:/[\t\n]*[/\\]|[a-z]+:(?!//testserver/))", re.IGNORECASE)
#: forms that go on where they are told to, as somebody fills them in; the first two as a visitor
GOING_ON: Mapping[str, Mapping[str, str]] = {
    "/accounts/login/": {"login": "alice@example.com", "password": PASSWORD},
    "/accounts/signup/": {"email": "new@example.com", "password1": f"{PASSWORD} 1"},
    "/accounts/reauthenticate/": {"password": PASSWORD},
    "/keys/": {"name": "laptop", "public_key": ALICES_KEY},
    "/accounts/logout/": {},
}


def test_no_form_is_taken_that_this_site_did_not_show(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies.load({"sessionid": staffed.browser(world.ada).session.session_key})
    browser = Browser(client)
    every = sorted(set(routes()))
    taken = [one for one in every if browser.ask("POST", address(world, one)).status_code != 403]
    assert taken == []
    assert len(every) > 150


def test_a_session_is_no_key_to_the_api(world: World) -> None:
    browser = Browser(staffed.browser(world.ada))
    for about in operations():
        method, path = path_of(world, about)
        by_session = browser.ask(method, path, data="{}", content_type="application/json")
        assert by_session.status_code == call(method, path, {}, {}).status_code, about


def test_no_address_leads_to_another_site(world: World) -> None:
    away = []
    for browser in (Browser(Client()), Browser(staffed.browser(world.ada))):
        for route in sorted(set(routes())):
            path = address(world, route)
            for method, more in (("GET", {}), ("POST", form({"next": ELSEWHERE[1]}))):
                reply = browser.ask(method, f"{path}?next={ELSEWHERE[1]}", **more)
                away += [f"{method} {path}"] * leads_away(reply, ELSEWHERE[1])
    assert away == []


@pytest.mark.parametrize("path", GOING_ON)
def test_a_form_goes_on_within_this_site_alone(alice: User, path: str) -> None:
    visitor = list(GOING_ON).index(path) < 2
    browser = Browser(Client() if visitor else enter(Client(), alice))
    within = browser.ask("POST", path, **form(GOING_ON[path] | {"next": "/volumes/"}))
    assert (within.status_code, within.headers["Location"]) == (302, "/volumes/")
    for target in ELSEWHERE:
        reply = browser.ask("POST", path, **form(GOING_ON[path] | {"next": target}))
        assert reply.status_code in (302, 404), target
        assert not leads_away(reply, target), (target, reply.headers["Location"])


def leads_away(reply: Any, target: str) -> bool:
    """Say whether the answer goes to another site, or shows a link there."""
    location = reply.headers.get("Location", "")
    shown = not reply.streaming and f'href="{target}' in reply.content.decode(errors="replace")
    return shown or LEADS_AWAY.match(location) is not None
