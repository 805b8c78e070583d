"""Every refusal that people meet: one code, one plain sentence, by the API as on the page.

Nothing is charged, held or taken by any of them.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from marketplace import sync
from marketplace.accounts.models import SshKey, User
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.models import EnrolmentToken, Machine
from marketplace.metering.actions.charge import charge_all
from marketplace.offers.models import Offer
from marketplace.placements.models import Lease, Placement
from marketplace.rentals.models import Rental
from marketplace.verification.models import VerdictRecord
from protocol import paths
from protocol.agent import ObservedState
from protocol.signing import public_key_of, request_bytes, sign
from tests.marketplace import scene
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market
from tests.marketplace.test_api import ONE_CPU, Api, rental_of

NOW_MS = int(scene.NOW.timestamp() * 1000)


def held(alice: User) -> tuple[object, ...]:
    """Return everything that a refusal must leave as it was."""
    machine = Machine.objects.get()
    return (
        ledger.balance(alice.pk),
        ledger.held(alice.pk),
        Lease.objects.count(),
        Placement.objects.filter(freed_at=None).count(),
        (machine.cpus_free, machine.memory_bytes_free, machine.disk_bytes_free),
        audit.audit(),
    )


def is_one_plain_sentence(text: str) -> bool:
    """Say whether a person could have written it: no code, no second sentence."""
    return re.fullmatch(r"[A-Z][^\n{}<>]+\.", text) is not None and ". " not in text


@dataclass(frozen=True)
class Refusal:
    """One thing that is in the way of a rental."""

    status: int
    code: str
    #: a part of the sentence that the API and the page both say
    says: str
    #: what is different from a rental that would start, in the API's words
    asked: dict[str, Any] = field(default_factory=dict)
    #: the same in the words of the page's form; None: the page cannot ask for it
    written: dict[str, Any] | None = field(default_factory=dict)
    #: what happens before the request arrives
    meanwhile: Callable[[], object] = lambda: None


def cpus(count: int) -> dict[str, Any]:
    """Return a request for so many CPUs."""
    return {"resources": ONE_CPU | {"cpu": {"count": count}}}


def nobody_vouches() -> None:
    """Take the machine's verdict away."""
    VerdictRecord.objects.all().delete()
    Offer.objects.update(verified_until=None)


REFUSALS = (
    Refusal(
        402, "insufficient_funds", "not enough money for this", {"lease_s": 36_000}, {"hours": "10"}
    ),
    Refusal(409, "ssh_key_missing", "SSH public key", meanwhile=SshKey.objects.all().delete),
    Refusal(
        *(422, "image_unknown", "This is no image name"),
        asked={"image": "https://example.org/a"},
        written={"image": "https://example.org/a"},
    ),
    Refusal(
        *(409, "offer_taken", "Somebody else took it meanwhile", cpus(4), {"cpus": "4"}),
        meanwhile=lambda: Machine.objects.update(cpus_free=1),
    ),
    Refusal(409, "exceeds_machine", "not have that much: CPUs", cpus(64), {"cpus": "64"}),
    Refusal(
        *(409, "machine_offline", "This machine does not answer now"),
        meanwhile=lambda: Machine.objects.update(online=False),
    ),
    Refusal(
        *(409, "machine_unverified", "No validator vouches for this machine now"),
        meanwhile=nobody_vouches,
    ),
    Refusal(
        *(409, "bid_below_floor", "Your bid is below what this host accepts"),
        asked={"bid_microusd": CPU_HOUR_MICROUSD // 4},
        written=None,
        meanwhile=lambda: Offer.objects.update(bid_floor_microusd=CPU_HOUR_MICROUSD // 2),
    ),
)
ON_THE_PAGE = [one for one in REFUSALS if one.written is not None]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.code)
def test_the_api_refuses_with_a_code_and_a_sentence_and_takes_nothing(
    market: Market, renter: Client, alice: User, refusal: Refusal
) -> None:
    api = Api(alice)
    refusal.meanwhile()
    before = held(alice)
    reply = api.post("/rentals", rental_of({"id": str(market.offer.id)}) | refusal.asked)
    assert (reply.status_code, reply.json()["code"]) == (refusal.status, refusal.code)
    assert refusal.says in reply.json()["detail"]
    assert is_one_plain_sentence(reply.json()["detail"])
    assert held(alice) == before
    assert not Rental.objects.exists()


@pytest.mark.parametrize("refusal", ON_THE_PAGE, ids=lambda one: one.code)
def test_the_page_says_the_same_and_takes_nothing(
    market: Market, renter: Client, alice: User, refusal: Refusal
) -> None:
    form = filled(renter.get(rent_url(market)), **(refusal.written or {}), agreed_microusd=10**12)
    refusal.meanwhile()
    before = held(alice)
    reply = renter.post(rent_url(market), form)
    assert reply.status_code == 422
    assert refusal.says in unescape(reply.content.decode())
    assert held(alice) == before
    assert not Rental.objects.exists()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("image_unknown", "There is no image ghcr.io/nobody/nothing:1: not found."),
        ("image_pull_failed", "ghcr.io/nobody/nothing:1 cannot be pulled: 503 try later."),
    ],
)
def test_what_the_registry_answered_reaches_the_renter_who_pays_nothing(
    market: Market, renter: Client, alice: User, code: str, says: str
) -> None:
    api, before = Api(alice), held(alice)
    asked = rental_of({"id": str(market.offer.id)}) | {"image": "ghcr.io/nobody/nothing:1"}
    rental_id = api.post("/rentals", asked).json()["id"]
    placement = Placement.objects.get()
    told = market.agent.observed(placement.id, ObservedState.GONE)
    told["problem"] = {"code": code, "message": says}
    market.agent.sync(scene.after(2), placements=[told])
    charge_all(now=scene.after(3))
    seen = api.get(f"/rentals/{rental_id}").json()
    assert (seen["state"], seen["reason_code"], seen["reason"]) == ("failed", code, says)
    assert (seen["cost_microusd"], seen["billed_ms"]) == (0, 0)
    assert says in unescape(renter.get(f"/rentals/{rental_id}/").content.decode())
    assert held(alice) == before
    placement.refresh_from_db()
    assert placement.blame == "renter"


def test_a_malformed_key_is_refused_by_the_api_as_on_the_page(
    alice: User, browser_of: Callable[[User], Client]
) -> None:
    reply = Api(alice).post("/ssh-keys", {"name": "x", "public_key": "ssh-rsa AAAA"})
    assert (reply.status_code, reply.json()["code"]) == (422, "ssh_key_malformed")
    assert is_one_plain_sentence(reply.json()["detail"])
    sent = {"name": "x", "public_key": "ssh-rsa AAAA"}
    page = browser_of(alice).post("/keys/", sent).content.decode()
    assert reply.json()["detail"] in unescape(page)
    assert not SshKey.objects.exists()


def signed(path: str, body: bytes, *, sent_at_ms: int) -> dict[str, str]:
    """Return the headers of a machine's request."""
    key = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
    content = request_bytes(
        method="POST", path=path, sender=public_key_of(key), sent_at_ms=sent_at_ms, body=body
    )
    return {
        paths.HEADER_MACHINE: public_key_of(key),
        paths.HEADER_SENT_AT: str(sent_at_ms),
        paths.HEADER_SIGNATURE: sign(key, content),
    }


@pytest.mark.parametrize(
    ("issued_s", "clock_off_s", "status", "code"),
    [(-8 * 86_400, 0, 403, "enrolment_token_expired"), (0, 61, 401, "clock_skew")],
)
def test_a_refused_enrolment_takes_neither_token_nor_machine(
    charlie: User,
    monkeypatch: pytest.MonkeyPatch,
    issued_s: int,
    clock_off_s: int,
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    token = issue_token(host_id=charlie.pk, now=scene.after(issued_s)).token
    key = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
    body = scene.enrol_request(key, token).model_dump_json().encode()
    headers = signed(paths.AGENT_ENROL, body, sent_at_ms=NOW_MS + clock_off_s * 1000)
    reply = Client().post(paths.AGENT_ENROL, body, content_type="application/json", headers=headers)
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert is_one_plain_sentence(reply.json()["detail"])
    assert not Machine.objects.exists()
    assert not EnrolmentToken.objects.filter(used_at__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
def test_a_sync_with_a_wrong_clock_is_told_so() -> None:
    body = b"{}"
    headers = signed(paths.AGENT_SYNC, body, sent_at_ms=int(time.time() * 1000) + 120_000)
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(sync.application({"method": "POST", "headers": lines}, receive, send))
    said = json.loads(sent[1]["body"])
    assert (sent[0]["status"], said["code"]) == (401, "clock_skew")
    assert is_one_plain_sentence(said["detail"])
