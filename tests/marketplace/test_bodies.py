"""How much of a request is read, and of whom, before anybody looks at it."""

import asyncio
import hashlib
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from marketplace import bodies
from marketplace.accounts.models import ApiKey
from marketplace.asgi import application
from marketplace.domain.scope import Scope
from marketplace.jobs import storage
from marketplace.jobs.models import Blob
from marketplace.sync_limits import LARGE_A_SENDER_MAX
from marketplace.watch import in_thread
from protocol import paths
from tests.marketplace.jobs.conftest import Site, _own_folder, site

__all__ = ["_own_folder", "site"]
CHUNK = b"x" * 65_536
LARGE = bodies.API_BYTES_MAX // len(CHUNK) + 10
OUTPUT = paths.AGENT_PLACEMENT_BLOB.format(
    placement_id="00000000-0000-0000-0000-000000000001", digest="0" * 64
)


class Call:
    """One call of the site, as a server makes it; ``silent``: then nothing more comes."""

    def __init__(
        self,
        method: str,
        path: str,
        body: list[bytes],
        told: dict[str, str] | None = None,
        *,
        silent: bool = False,
    ) -> None:
        headers = {"host": "localhost", "content-type": "application/octet-stream"} | (told or {})
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.lower().encode(), one.encode()) for name, one in headers.items()],
        }
        self.chunks, self.silent = body, silent
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

    async def answered(self) -> tuple[int, str]:
        """Return the status and the problem's code; empty where there is none."""
        await application(self.scope, self.receive, self.send)
        body = b"".join(message.get("body", b"") for message in self.sent)
        problem = body if b'"code"' in body else b"{}"
        return self.sent[0]["status"], json.loads(problem).get("code", "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "path", "bytes_max", "answer"),
    [
        ("POST", "/accounts/login/", bodies.FORM_BYTES_MAX, (413, "too_large")),
        ("POST", "/api/v1/rentals", bodies.API_BYTES_MAX, (413, "too_large")),
        ("POST", "/nowhere", bodies.FORM_BYTES_MAX, (413, "too_large")),
        ("POST", bodies.UPLOAD, bodies.API_BYTES_MAX, (401, "unauthenticated")),
        ("PUT", OUTPUT, bodies.API_BYTES_MAX, (401, "signature_invalid")),
    ],
)
async def test_a_stranger_is_read_no_further_than_a_small_body(
    method: str, path: str, bytes_max: int, answer: tuple[int, str]
) -> None:
    call = Call(method, path, [CHUNK] * LARGE)
    assert await call.answered() == answer
    assert call.read == bytes_max // len(CHUNK) + 1
    announced = Call(method, path, [CHUNK], {"Content-Length": str(1 << 40)})
    assert await announced.answered() == answer
    assert announced.read == 0


@pytest.mark.django_db(transaction=True)
async def test_who_may_sends_a_large_file_and_no_larger(site: Site, settings: Settings) -> None:
    told = {"Authorization": f"Bearer {site.key}"}
    assert await Call("POST", bodies.UPLOAD, [CHUNK] * LARGE, told).answered() == (201, "")
    blob = await Blob.objects.aget()
    assert blob.digest == hashlib.sha256(CHUNK * LARGE).hexdigest()
    settings.BLOB_BYTES_MAX = len(CHUNK) * (LARGE - 1)
    more = Call("POST", bodies.UPLOAD, [CHUNK] * (LARGE + 10), told)
    assert await more.answered() == (413, "too_large")
    assert more.read == LARGE
    elsewhere = Call("POST", "/api/v1/jobs", [CHUNK] * LARGE, told)
    assert await elsewhere.answered() == (413, "too_large")


@pytest.mark.django_db(transaction=True)
async def test_a_key_that_may_not_store_files_is_read_no_further_than_a_strangers(
    site: Site,
) -> None:
    await ApiKey.objects.aupdate(scopes=[Scope.RENTALS_READ, Scope.MONEY_WRITE])
    told = {"Authorization": f"Bearer {site.key}"}
    large = Call("POST", bodies.UPLOAD, [CHUNK] * LARGE, told)
    assert await large.answered() == (403, "scope_missing")
    assert large.read == bodies.API_BYTES_MAX // len(CHUNK) + 1
    await ApiKey.objects.aupdate(scopes=[Scope.RENTALS_WRITE])
    assert await Call("POST", bodies.UPLOAD, [CHUNK] * LARGE, told).answered() == (201, "")


@pytest.mark.django_db(transaction=True)
async def test_the_last_of_a_disk_is_for_no_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "FREE_BYTES_MIN", 1 << 60)
    told = {"Authorization": f"Bearer {site.key}"}
    large = Call("POST", bodies.UPLOAD, [CHUNK] * LARGE, told)
    assert await large.answered() == (503, "storage_full")
    assert large.read < LARGE
    assert await Call("POST", bodies.UPLOAD, [b"small"], told).answered() == (503, "storage_full")
    assert await Blob.objects.acount() == 0


@pytest.mark.django_db(transaction=True)
async def test_a_machine_sends_as_much_as_its_job_may_leave(site: Site) -> None:
    content = CHUNK * LARGE
    digest = hashlib.sha256(content).hexdigest()
    job = await in_thread(site.started)(outputs_bytes_max=len(content))
    path = paths.AGENT_PLACEMENT_BLOB.format(placement_id=job.placement_id, digest=digest)
    signed = site.signed("PUT", path, digest)
    assert await Call("PUT", path, [CHUNK] * LARGE, signed).answered() == (204, "")
    # The signature is of the digest that the path names: another body is read no further than may
    # be, and not kept.
    more = Call("PUT", path, [CHUNK] * LARGE * 2, signed)
    assert await more.answered() == (413, "too_large")
    assert more.read <= LARGE + 3
    assert await Blob.objects.acount() == 1


@pytest.mark.django_db(transaction=True)
async def test_one_sender_has_two_large_bodies_read_at_once(site: Site) -> None:
    told = {"Authorization": f"Bearer {site.key}"}
    slow = [
        Call("POST", bodies.UPLOAD, [CHUNK] * LARGE, told, silent=True)
        for _ in range(LARGE_A_SENDER_MAX)
    ]
    reading = [asyncio.create_task(call.answered()) for call in slow]
    while any(call.read < LARGE for call in slow):
        await asyncio.sleep(0.01)
    one_more = Call("POST", bodies.UPLOAD, [CHUNK] * LARGE, told)
    assert await one_more.answered() == (429, "rate_limited")
    assert one_more.read < LARGE
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    assert await Call("POST", bodies.UPLOAD, [CHUNK] * LARGE, told).answered() == (201, "")


async def test_who_never_ends_a_request_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S_MIN", 0.01)
    call = Call("POST", "/api/v1/rentals", [b"{"], silent=True)
    assert await call.answered() == (408, "too_slow")
    assert (b"connection", b"close") in call.sent[0]["headers"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("content_type", "answer"),
    [
        *((f"text/plain; charset={one}", (415, "charset_unknown")) for one in ("idna", "hex", "?")),
        ("text/plain; charset*=idna''x", (415, "charset_unknown")),
        ("text/plain; of*=nothing''x", (415, "charset_unknown")),
        ('application/json; charset="UTF-8"', (401, "unauthenticated")),
        ("application/json; charset=iso-8859-1", (401, "unauthenticated")),
    ],
)
async def test_a_charset_that_reads_no_text_is_refused(
    content_type: str, answer: tuple[int, str]
) -> None:
    call = Call("GET", "/api/v1/me", [b""], {"content-type": content_type})
    call.scope["query_string"] = b"q=a%ff"
    assert await call.answered() == answer
