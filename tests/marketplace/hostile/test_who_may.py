"""Who is answered what at every address and every operation, held against the tables beside it.

A row says what each character gets where the address names what is Ada's. An address that is added
needs a row, and a change of who may what shows in its table: read it as an attacker would. A
failure prints each row as it would have to be.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.contrib.messages import get_messages

from tests.browser.world import World, routes
from tests.marketplace.hostile.everybody import address, browsers, form, keys
from tests.marketplace.hostile.programs import HOTKEY, asks, call, operations, path_of

#: its name says nothing of whose it is: everybody's, or the asker's own
NOBODYS = re.compile(
    r"machines/|scores/|offers/|install/|templates/|validator/|letters/"
    r"|accounts/|money/statement|host/statements/|teams/join/|console/features/"
)
SIGNED = {"hotkey": HOTKEY, "signed_at": "2026-11-20T00:00:00+00:00", "signature": "0" * 128}
RESOURCES = {
    "cpu": {"count": 1},
    "ram": {"capacity": 1 << 30},
    "hard_disk": {"capacity": 2 << 30},
}
#: what is sent, so that nobody is refused for its shape before they are for who they are
BODIES: Mapping[str, Mapping[str, object]] = {
    "POST /teams/{team_id}/invitations": {"email": "x@berth.example", "role": "member"},
    "PATCH /teams/{team_id}/members/{person_id}": {"role": "billing"},
    "PUT /rentals/{rental_id}/bid": {"bid_microusd": 1_000_000},
    "POST /rentals/{rental_id}/extend": {"lease_s": 7200},
    "POST /rentals/{rental_id}/price": {"accept": True, "price_hour_microusd": 1},
    "POST /rentals/{rental_id}/traffic": {"traffic_bytes_max": 1 << 42},
    "POST /rentals/{rental_id}/proofs/{proof_id}/lines": {"lines": ["x"]},
    "PUT /rentals/{rental_id}/idle-rule": {"after_s": 3600},
    "POST /host/machines/{machine_id}/appeals": {"text": "x"},
    "POST /host/machines/{machine_id}/hotkey": SIGNED,
    "POST /offers/{offer_id}/quote": {"resources": RESOURCES, "lease_s": 3600},
    "PATCH /endpoints/{endpoint_id}": {"replicas": 1},
    "POST /rentals/{rental_id}/report": {"what": "other", "text": "It was slow."},
    "PUT /templates/{name}": {"image": "debian:12"},
}
#: the same of pages; ``{ssh_key_id}`` is Ada's own, as in an address
FORMS: Mapping[str, Mapping[str, str]] = {
    "console/announcements/<int:announcement_id>/withdraw": {"reason": "x"},
    "console/reports/<uuid:report_id>/credit": {"amount": "1", "payer": "site", "reason": "x"},
    "console/reports/<uuid:report_id>/refuse": {"reason": "x"},
    "endpoints/<uuid:endpoint_id>/scale": {"replicas": "1"},
    "host/machines/<uuid:machine_id>/appeal": {"text": "x"},
    "host/machines/<uuid:machine_id>/hotkey": SIGNED,
    "host/machines/<uuid:machine_id>/maintenance": {
        "begins_at": "2099-01-01T00:00",
        "ends_at": "2099-01-01T01:00",
    },
    "host/machines/<uuid:machine_id>/price": {"price": "1"},
    "rentals/<uuid:rental_id>/keys": {"ssh_keys": "{ssh_key_id}"},
    "rentals/<uuid:rental_id>/price": {"answer": "accept", "price_hour_microusd": "1"},
    "teams/<int:team_id>/name": {"name": "x"},
    "teams/<int:team_id>/people/<int:person_id>/role": {"role": "billing"},
    "teams/invitations/<uuid:invitation_id>": {"answer": "decline"},
}
#: where Bob is answered as Ada is though what is named is hers, and why that tells him nothing
SAME: Mapping[str, str] = {
    "GET /web-hooks/<uuid:hook_id>/rotate": "leads anybody to the list of their own web hooks",
}


def test_every_address_answers_everybody_as_its_row_says(world: World) -> None:
    who = browsers(world)
    found, leaks, same = {}, [], set()
    for route in sorted(set(routes())):
        for method in ("GET", "POST"):
            about, path = f"{method} /{route}", address(world, route) + asks(route)
            filled = FORMS.get(route, {}) if method == "POST" else {}
            sent = form({name: one.format_map(world.parts) for name, one in filled.items()})
            asked = {name: one.ask(method, path, **sent) for name, one in who.items()}
            found[about] = row(asked.values())
            if "<" in route and not NOBODYS.match(route):
                leaks += [about] * (not shut(asked["bob"]))
                same |= {about} if tells_nothing(asked) else set()
    assert leaks == []
    assert same == SAME.keys()
    assert differences(found, "pages.txt", who) == []


def test_every_operation_answers_every_key_as_its_row_says(world: World) -> None:
    headers = keys(world)
    found, leaks, same = {}, [], set()
    for about in operations():
        method, path = path_of(world, about)
        body = BODIES.get(about, {})
        asked = {name: call(method, path, told, body) for name, told in headers.items()}
        found[about] = row(asked.values())
        if "{" in about and not NOBODYS.match(about.partition("/")[2]):
            leaks += [about] * (not shut(asked["bob"]))
            same |= {about} if tells_nothing(asked) else set()
    assert leaks == []
    assert same == set()
    assert differences(found, "operations.txt", headers) == []


def tells_nothing(asked: Mapping[str, Any]) -> bool:
    """Say whether Ada, whose it is, is answered as Bob is, as both are where nothing is."""
    return answer(asked["bob"]) == answer(asked["ada"]) != "405"


def shut(reply: Any) -> bool:
    """Say whether the answer gives nothing away and nothing was done."""
    asked_only = reply.wsgi_request.method == "GET" and reply.status_code == 302
    return asked_only or answer(reply) in {"401", "403", "404", "405", "no"}


def row(replies: Iterable[Any]) -> str:
    """Return the answers in one line."""
    return " ".join(map(answer, replies))


def answer(reply: Any) -> str:
    """Return the status; ``in``: log in first, ``no``: back, with a sentence that says why not."""
    if reply.status_code != 302:
        return str(reply.status_code)
    if "/accounts/login/" in reply.headers["Location"]:
        return "in"
    if reply.wsgi_request.method == "GET":
        return "302"
    told = {each.level_tag for each in get_messages(reply.wsgi_request)}
    return "no" if "error" in told else "302"


def differences(found: Mapping[str, str], table: str, who: Iterable[str]) -> list[str]:
    """Return each row that the table has otherwise or lacks, and what is there no more."""
    told, *rows = (Path(__file__).parent / table).read_text().splitlines()
    assert told == f"# {' '.join(who)}"
    known = dict(each.rsplit("  ", 1) for each in rows)
    gone = [f"{about} is gone" for about in known.keys() - found.keys()]
    return gone + [
        f"{about}  {answers}" for about, answers in found.items() if known.get(about) != answers
    ]
