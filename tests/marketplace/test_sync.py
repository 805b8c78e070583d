"""The agents' one call: what it reads, whom it believes, and what it takes only once."""

import asyncio
import hashlib
import json
from collections.abc import Collection, MutableMapping
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace import sync
from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.held_syncs import HELD_A_MACHINE_MAX, HeldSyncs
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.actions.heartbeat import SyncReplayed
from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.models import Machine
from marketplace.sync_limits import LARGE_A_SENDER_MAX, SYNCS_AT_ONCE, TooManySyncs
from marketplace.watch import in_thread
from protocol import paths
from protocol.agent import ObservedState, SyncReply
from protocol.signing import public_key_of, request_bytes, sign
from tests.marketplace import reporting, scene
from tests.marketplace.rentals.market import Market, give_key

KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
NOW_MS = int(scene.NOW.timestamp() * 1000)
QUIET = {"agent_version": "1", "boot_id": "boot-1", "hold_s": 0}
CHUNK = b" " * 16_384


def headers(body: bytes, *, sent_at_ms: int = NOW_MS) -> dict[str, str]:
    sender = public_key_of(KEY)
    signed = request_bytes(
        method="POST", path=paths.AGENT_SYNC, sender=sender, sent_at_ms=sent_at_ms, body=body
    )
    return {
        paths.HEADER_MACHINE: sender,
        paths.HEADER_SENT_AT: str(sent_at_ms),
        paths.HEADER_SIGNATURE: sign(KEY, signed),
        paths.HEADER_DIGEST: hashlib.sha256(body).hexdigest(),
    }


def enrolled() -> Machine:
    token = issue_token(host_id=scene.user().id, now=scene.NOW).token
    return enrol(request=scene.enrol_request(KEY, token), now=scene.NOW)


def take_in(told: dict[str, Any], *, sent_at_ms: int = NOW_MS) -> None:
    body = json.dumps(QUIET | told).encode()
    reporting.take_in(headers=headers(body, sent_at_ms=sent_at_ms), body=body, now=scene.NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("sent_at_ms", [NOW_MS, NOW_MS - 1])
def test_what_was_taken_in_before_is_refused(sent_at_ms: int) -> None:
    on = enrolled()
    take_in({})
    with pytest.raises(SyncReplayed):
        take_in({"agent_version": "old"}, sent_at_ms=sent_at_ms)
    on.refresh_from_db()
    assert (on.agent_version, on.sent_at_ms) == ("1", NOW_MS)
    take_in({"agent_version": "2"}, sent_at_ms=NOW_MS + 1)


def _absurd() -> list[dict[str, Any]]:
    hardware = scene.hardware(gpus=1).model_dump(mode="json")
    one = scene.seen(UUID(int=1), ObservedState.RUNNING).model_dump(mode="json")
    return [
        {"placements": [one | {"age_ms": 10**30}]},
        {"placements": [one | {"age_ms": 10**15}]},
        {"placements": [one | {"run": 2**31}]},
        {"placements": [one | {"exit_code": 2**31}]},
        {"placements": [one | {"progress": "a\x00b"}]},
        {"revision": 2**63},
        {"boot_id": "\x00"},
        {"hardware": hardware | {"gpus": hardware["gpus"] * 65}},
        {"placements": "none"},
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("told", _absurd(), ids=str)
def test_what_no_machine_can_mean_is_refused(told: dict[str, Any]) -> None:
    enrolled()
    with pytest.raises(Refused, match="malformed") as refused:
        take_in(told)
    assert refused.value.status == 422


@pytest.mark.django_db
def test_an_interval_of_an_absurd_age_is_refused(charlie: User, alice: User, give: Any) -> None:
    market = Market.open(charlie)
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=scene.after(1))
    interval = market.agent.count(rental.placement_id, 0, 1000)
    interval["interval"] |= {"from_age_ms": 10**15, "to_age_ms": 10**15 + 1000}
    with pytest.raises(Refused) as refused:
        market.agent.sync(scene.after(5), intervals=[interval])
    assert refused.value.status == 422


class Call:
    """One call of the application, as a server makes it; ``silent``: then nothing more comes."""

    def __init__(self, body: list[bytes], told: dict[str, str], *, silent: bool = False) -> None:
        self.chunks, self.told, self.silent = body, told, silent
        self.read = 0
        self.sent: list[MutableMapping[str, Any]] = []

    async def receive(self) -> MutableMapping[str, Any]:
        if self.read == len(self.chunks):
            await asyncio.Event().wait()
        self.read += 1
        more = self.silent or self.read < len(self.chunks)
        return {"type": "http.request", "body": self.chunks[self.read - 1], "more_body": more}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    async def answered(self) -> tuple[int, dict[str, Any]]:
        headers = [(name.lower().encode(), value.encode()) for name, value in self.told.items()]
        await sync.application({"method": "POST", "headers": headers}, self.receive, self.send)
        start, body = self.sent
        return start["status"], json.loads(body["body"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signed", [True, False])
async def test_a_stranger_is_read_no_further_than_a_small_sync(
    signed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sync, "_now", lambda: scene.NOW)
    told = headers(CHUNK * 100) if signed else {paths.HEADER_MACHINE: public_key_of(KEY)}
    call = Call([CHUNK] * 100, told)
    status, reply = await call.answered()
    code = "machine_unknown" if signed else "signature_invalid"
    assert (status, reply["code"]) == (401, code)
    assert call.read == sync.BODY_BYTES_UNKNOWN_MAX // len(CHUNK) + 1


@pytest.mark.django_db(transaction=True)
async def test_a_machine_may_send_as_much_as_a_sync_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "_now", lambda: scene.NOW)
    await in_thread(enrolled)()
    body = json.dumps(QUIET).encode() + CHUNK * 100
    chunks = [body[start : start + len(CHUNK)] for start in range(0, len(body), len(CHUNK))]
    status, reply = await Call(chunks, headers(body)).answered()
    assert status == 200
    assert SyncReply.model_validate(reply).desired == ()
    too_much = Call([CHUNK] * 300, headers(b""))
    status, reply = await too_much.answered()
    assert (status, reply["code"]) == (413, "too_large")
    assert too_much.read == sync.BODY_BYTES_MAX // len(CHUNK) + 1


@pytest.mark.django_db(transaction=True)
async def test_a_machine_has_two_large_bodies_read_and_nobody_has_one_in_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sync, "_now", lambda: scene.NOW)
    await in_thread(enrolled)()
    unsigned = Call([CHUNK] * 10, {paths.HEADER_MACHINE: public_key_of(KEY)})
    status, reply = await unsigned.answered()
    assert (status, reply["code"], unsigned.read) == (401, "signature_invalid", 5)
    told = headers(CHUNK * 10)
    slow = [Call([CHUNK] * 10, told, silent=True) for _ in range(LARGE_A_SENDER_MAX)]
    reading = [asyncio.create_task(call.answered()) for call in slow]
    while any(call.read < 10 for call in slow):
        await asyncio.sleep(0.01)
    one_more = Call([CHUNK] * 10, told)
    status, reply = await one_more.answered()
    assert (status, reply["code"], one_more.read) == (429, "rate_limited", 5)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    status, reply = await Call([CHUNK] * 10, told).answered()
    assert (status, reply["code"]) != (429, "rate_limited")


@pytest.mark.django_db
def test_a_machine_that_syncs_without_end_has_to_wait() -> None:
    enrolled()
    for number in range(SYNCS_AT_ONCE):
        take_in({}, sent_at_ms=NOW_MS + number)
    with pytest.raises(TooManySyncs):
        take_in({}, sent_at_ms=NOW_MS + SYNCS_AT_ONCE)


async def test_who_never_ends_a_sync_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "BODY_S_MAX", 0.01)
    status, reply = await Call([b"{"], headers(b"{}"), silent=True).answered()
    assert (status, reply["code"]) == (408, "too_slow")


async def test_only_the_newest_calls_of_a_machine_are_held() -> None:
    def nothing_new(machine_ids: Collection[UUID], new: Collection[UUID]) -> dict[UUID, int]:
        return dict.fromkeys(new, 0)

    held, machine_id = HeldSyncs(nothing_new), UUID(int=1)
    calls = []
    for _ in range(10):
        calls.append(asyncio.create_task(held.wait(machine_id, above=0, at_most_s=3600)))
        await asyncio.sleep(0)
    other = asyncio.create_task(held.wait(UUID(int=2), above=0, at_most_s=3600))
    await asyncio.wait_for(asyncio.gather(*calls[:-HELD_A_MACHINE_MAX]), 5)
    assert not any(call.done() for call in (*calls[-HELD_A_MACHINE_MAX:], other))
    for call in (*calls, other):
        call.cancel()
