"""Each list has pages that lead to its end, and many rows take the statements of few.

One that has no pages stands here with what bounds it.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.actions import add_ssh_key, issue_api_key
from marketplace.accounts.models import User
from marketplace.domain import team
from marketplace.domain.notices import LETTERS
from marketplace.domain.oversight import Role
from marketplace.endpoints.actions import create as endpoints
from marketplace.notices.actions import add_hook
from marketplace.payouts.models import PayoutAccount
from marketplace.rentals.proof_queries import WAITING_MOST
from tests.marketplace import scene
from tests.marketplace.browsers import enter
from tests.marketplace.rentals.market import give_key
from tests.marketplace.rows import Rows
from tests.marketplace.staffed import browser, staff

#: of each list that has no pages, the most that stands in it
BOUNDED = {
    "/ssh-keys": add_ssh_key.KEYS_MAX,
    "/api-keys": issue_api_key.KEYS_MAX,
    "/teams": team.TEAMS_MAX,
    "/teams/{team_id}/members": team.MEMBERS_MAX,
    "/teams/{team_id}/invitations": team.INVITATIONS_MAX,
    "/invitations": 50,
    "/endpoints": endpoints.ENDPOINTS_MAX,
    "/letters": len(LETTERS),
    "/web-hooks": add_hook.HOOKS_MAX,
    # A validator has to look at each machine that is there; it may ask for some of them.
    "/validator/targets": 10_000,
    "/validator/rental-proofs": WAITING_MOST,
}
FEW, MANY = 2, 9


Add = Callable[[Rows, int], str]
#: lists of pages and of the API, with what adds a row and whether the row's own text is shown there
LISTS: dict[str, tuple[Add, bool]] = {
    "/templates/": (Rows.template, True),
    "/offers/": (Rows.machine, False),
    "/host/": (Rows.machine, False),
    "/volumes/": (Rows.volume, True),
    "/rentals/": (Rows.rental, True),
    "/rentals/reports/": (Rows.report, True),
    "/host/earnings/": (Rows.taken, True),
    "/endpoints/": (Rows.endpoint, True),
    "/notices/": (Rows.notice, True),
    "/web-hooks/": (Rows.hook, True),
    "/keys/": (Rows.ssh_key, True),
    "/api-keys/": (Rows.api_key, True),
    "/money/invoices/": (Rows.paper, True),
    "/money/": (Rows.payment, False),
    "/host/payouts/": (Rows.payout, False),
    "/console/people/?q=row": (Rows.person, True),
    "/console/log/": (Rows.act, True),
    "/console/": (Rows.to_do, True),
    "/console/validators/": (Rows.validator, True),
    "/console/announcements/": (Rows.announcement, True),
    "/api/v1/templates": (Rows.template, True),
    "/api/v1/offers": (Rows.machine, False),
    "/api/v1/host/machines": (Rows.machine, True),
    "/api/v1/volumes": (Rows.volume, True),
    "/api/v1/rentals": (Rows.rental, True),
    "/api/v1/reports": (Rows.report, True),
    "/api/v1/host/given-back": (Rows.taken, True),
    "/api/v1/jobs": (Rows.job, True),
    "/api/v1/teams": (Rows.team, True),
    "/api/v1/endpoints": (Rows.endpoint, True),
    "/api/v1/notices": (Rows.notice, True),
    "/api/v1/web-hooks": (Rows.hook, True),
    "/api/v1/ssh-keys": (Rows.ssh_key, True),
    "/api/v1/api-keys": (Rows.api_key, True),
    "/api/v1/invoices": (Rows.paper, True),
    "/api/v1/top-ups": (Rows.payment, True),
    "/api/v1/host/payouts": (Rows.payout, True),
}

#: lists of the API that are not asked here, with why
NOT_HERE = {
    "/letters": "has no rows: each kind of letter is said, whatever an account turned off",
    "/invitations": "is written by other people's teams, and has 50 rows at most",
    "/statement": "takes two statements in ledger/test_statement.py",
    "/validator/targets": "asks for a validator's signature",
    "/validator/rental-proofs": "asks for a validator's signature",
}


@pytest.fixture
def rows(give: Callable[..., None], monkeypatch: pytest.MonkeyPatch, db: None) -> Rows:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    user = staff("ada", *Role)
    give(user, 100_000_000)
    give_key(user)
    account = PayoutAccount.objects.create(
        host=user, gateway="test", country="US", email=user.email, reference="acct_1",
        enabled_at=scene.NOW, opened_at=scene.NOW, look_at=scene.NOW,
    )  # fmt: skip
    return Rows(user, account)


def client_for(path: str, user: User) -> Client:
    """Return who asks for the list."""
    if path.startswith("/api/"):
        secret = issue_api_key.issue(user_id=user.pk, name="t", now=scene.NOW).secret
        return Client(headers={"Authorization": f"Bearer {secret}"})
    return browser(user) if path.startswith("/console/") else enter(Client(), user)


@pytest.mark.parametrize("path", LISTS)
def test_many_rows_take_the_statements_of_few(path: str, rows: Rows) -> None:
    add, shown = LISTS[path]
    client, taken = client_for(path, rows.user), []
    for first, last in ((0, FEW), (FEW, MANY)):
        texts = [add(rows, number) for number in range(first, last)]
        # What is looked up once for a process or a minute is no part of a list.
        assert client.get(path).status_code == 200
        with CaptureQueriesContext(connection) as asked:
            reply = client.get(path)
        for text in texts if shown else ():
            assert text in reply.content.decode(), text
        taken.append([one["sql"][:200] for one in asked])
    assert len(taken[1]) == len(taken[0]), taken


#: lists whose pages are walked, with what makes their pages short
WALKED = {
    "templates": (Rows.template, "marketplace.templates.queries.PUBLIC_MAX"),
    "volumes": (Rows.volume, "marketplace.volumes.queries.PAGE_MAX"),
    "invoices": (Rows.paper, "marketplace.papers.queries.PAGE_MAX"),
    "top-ups": (Rows.payment, "marketplace.payments.queries.PAGE_MAX"),
    "host/payouts": (Rows.payout, "marketplace.payouts.queries.PAYOUTS_MAX"),
    "notices": (Rows.notice, "marketplace.notices.queries.PAGE"),
    "reports": (Rows.report, "marketplace.rentals.rental_reports.ROWS_MAX"),
    "host/given-back": (Rows.taken, "marketplace.rentals.rental_reports.ROWS_MAX"),
}


@pytest.mark.parametrize("path", WALKED)
@pytest.mark.parametrize("size", [1, 2, MANY])
def test_pages_lead_to_every_row_once(
    path: str, size: int, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, bound = WALKED[path]
    client = client_for("/api/", rows.user)
    before = json.dumps(client.get(f"/api/v1/{path}").json()["items"])
    texts = [add(rows, number) for number in range(MANY)]
    whole = client.get(f"/api/v1/{path}").json()
    assert whole["next_cursor"] is None
    monkeypatch.setattr(bound, size)
    found: list[Any] = []
    asked: dict[str, Any] = {}
    while True:
        page = client.get(f"/api/v1/{path}", asked).json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        asked = {"cursor": page["next_cursor"]}
    assert found == whole["items"]
    assert len(found) == MANY + len(json.loads(before))
    assert not [text for text in texts if text not in json.dumps(found)]


@pytest.mark.parametrize("path", ["volumes", "top-ups", "host/payouts", "invoices", "reports"])
def test_nobody_goes_on_from_a_row_of_somebody_elses(path: str, rows: Rows, bob: User) -> None:
    texts = [WALKED[path][0](rows, number) for number in range(2)]
    theirs = client_for("/api/", rows.user).get(f"/api/v1/{path}").json()["items"][0]
    cursor = theirs.get("id") or theirs["number"]
    assert texts
    reply = client_for("/api/", bob).get(f"/api/v1/{path}", {"cursor": cursor})
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_what_is_no_cursor_is_refused(rows: Rows) -> None:
    client = client_for("/api/", rows.user)
    for path in WALKED:
        for cursor in ("x", str(uuid4()), str(UUID(int=0))):
            assert client.get(f"/api/v1/{path}", {"cursor": cursor}).status_code in {404, 422}


def test_each_list_has_pages_or_a_bound_and_its_statements_are_counted() -> None:
    described = json.loads(Client().get("/api/v1/openapi.json").content)
    shapes = described["components"]["schemas"]
    without, whole = set(), set()
    for path, operations in described["paths"].items():
        operation = operations.get("get")
        if operation is None:
            continue
        content = operation["responses"]["200"].get("content", {}).get("application/json", {})
        shape = content.get("schema", {})
        fields = shapes.get(shape.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
        if shape.get("type") != "array" and "items" not in fields:
            continue
        name = path.removeprefix("/api/v1")
        # What hangs at one rental, machine, team or epoch is not asked here.
        whole |= set() if "{" in name else {name}
        words = {one["name"] for one in operation.get("parameters", ())} & {"cursor", "before"}
        if words:
            assert words == {"cursor"}, name
            assert "next_cursor" in fields, name
        else:
            without.add(name)
    assert without == set(BOUNDED)
    counted = {path.removeprefix("/api/v1") for path in LISTS if path.startswith("/api/")}
    assert not counted & set(NOT_HERE)
    assert whole == counted | set(NOT_HERE)
    assert all(BOUNDED.values())
