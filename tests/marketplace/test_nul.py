"""A NUL character is refused once, in front: no text column of PostgreSQL takes it."""

import json
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.utils import timezone
from django.utils.http import urlencode

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.oversight import Role
from marketplace.nul import NulRefused
from tests.marketplace import staffed

WRONG = {"login": "a\0b", "password": "x"}


def by(user: User) -> Client:
    """Return a browser of this person, in which a view that breaks answers 500."""
    client = staffed.browser(user)
    client.raise_request_exception = False
    return client


def check_page(reply: Any) -> None:
    """Hold that it is the page that says what is wrong."""
    assert reply.status_code == 400
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
    assert NulRefused.sentence in reply.content.decode()


def check_problem(reply: Any) -> None:
    """Hold that it is the problem that programs read."""
    assert reply.status_code == 400
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json() == {"status": 400, "code": "nul_character", "detail": NulRefused.sentence}


@pytest.mark.parametrize(
    "address",
    [
        "/templates/?edit=a%00b",
        "/offers/?a%00b=1",
        "/console/disputes/a%00b/evidence.txt",
        "/nowhere%00/",
        "/money/?before=%00",
    ],
)
def test_a_page_whose_address_holds_one_is_refused(db: None, address: str) -> None:
    check_page(by(staffed.staff("sue", *Role)).get(address))


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/console/features/rentals", {"to": "off", "words": "a\0b", "reason": "x"}),
        ("/console/features/rentals", {"to": "off", "words": "x", "reason": "a\0b"}),
        ("/templates/a%00b/delete", {}),
        ("/accounts/login/", WRONG),
        ("/teams/", {"name": "a", "a\0b": "c"}),
    ],
)
@pytest.mark.parametrize("urlencoded", [False, True])
def test_a_form_that_holds_one_is_refused(
    db: None, path: str, form: dict[str, str], urlencoded: bool
) -> None:
    browser = by(staffed.staff("sue", *Role))
    if urlencoded:
        kind = "application/x-www-form-urlencoded"
        check_page(browser.post(path, urlencode(form), content_type=kind))
    else:
        check_page(browser.post(path, form))


@pytest.mark.parametrize("method", ["get", "delete"])
@pytest.mark.parametrize(
    "path",
    ["/api/v1/templates/a%00b", "/api/v1/offers?q=%00", "/api/agent/v1/a%00b", "/stripe/a%00b"],
)
def test_a_program_reads_a_problem(alice: User, method: str, path: str) -> None:
    client = Client(raise_request_exception=False)
    key = issue(user_id=alice.pk, name="t", now=timezone.now()).secret
    told = {"authorization": f"Bearer {key}"}
    check_problem(getattr(client, method)(path, headers=told))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-le"])
def test_a_body_that_spells_one_is_refused_in_every_encoding(db: None, encoding: str) -> None:
    body = json.dumps({"email": "a\0b", "password": "x", "name": "t"}).encode(encoding)
    client = Client(raise_request_exception=False)
    check_problem(client.post("/api/v1/auth/key", data=body, content_type="application/json"))


@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "messages"])
def test_a_cookie_that_spells_one_is_refused(db: None, name: str) -> None:
    client = Client(raise_request_exception=False)
    check_page(client.get("/offers/", headers={"cookie": f'{name}="abcdefghi\\000"'}))


@pytest.mark.django_db(transaction=True)
async def test_asynchronous_requests_are_refused_too(async_client: AsyncClient) -> None:
    check_page(await async_client.get("/offers/?q=%00"))
    check_page(await async_client.post("/accounts/login/", WRONG))
    assert (await async_client.get("/accounts/login/")).status_code == 200
