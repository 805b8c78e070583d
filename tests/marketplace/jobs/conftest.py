"""A market in which Alice runs jobs on Charlie's machine."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.jobs.models import Job
from marketplace.metering.actions.charge import charge_all
from protocol import paths
from protocol.agent import ObservedState
from protocol.hardware import Resources
from protocol.signing import public_key_of, request_text, sign
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market

SECOND_MICROUSD = 1000


@dataclass
class Site:
    """The site over HTTP at a time that the test sets, as a renter and as the machine see it."""

    market: Market
    monkeypatch: pytest.MonkeyPatch
    renter_id: int
    key: str
    #: of the machine's calls; each has a time of its own
    signed_many: int = 0

    def at(self, second: float) -> "Site":
        """Let it be so many seconds after the scene begins."""
        now = scene.after(second)
        self.monkeypatch.setattr("django.utils.timezone.now", lambda: now)
        return self

    def call(self, method: str, path: str, told: Any = None) -> Any:
        """Return the answer to a renter's call; bytes are sent as they are."""
        raw = isinstance(told, bytes)
        return Client().generic(
            method,
            f"{paths.API}{path}",
            told if raw else json.dumps(told or {}),
            "application/octet-stream" if raw else "application/json",
            headers={"Authorization": f"Bearer {self.key}"},
        )

    def upload(self, content: bytes) -> str:
        """Return the digest of an uploaded file."""
        reply = self.call("POST", "/blobs", content)
        assert reply.status_code == 201, reply.content
        digest: str = reply.json()["digest"]
        return digest

    def run(self, **changed: Any) -> Any:
        """Return the answer to asking for a job."""
        asked = {
            "offer_id": str(self.market.offer.id),
            "image": "debian:12",
            "command": ["true"],
            "resources": Resources.of(
                cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB
            ).model_dump(mode="json"),
            "run_limit_s": 60,
        }
        return self.call("POST", "/jobs", asked | changed)

    def started(self, **changed: Any) -> Job:
        """Return a job that was placed."""
        reply = self.run(**changed)
        assert reply.status_code == 201, reply.content
        return Job.objects.select_related("placement", "meter").get(id=reply.json()["id"])

    def machine(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        digest: str = "",
        by: Market | None = None,
    ) -> Any:
        """Return the answer to a call that the machine signed for ``digest``, or its body's."""
        signed = self.signed(method, path, digest or hashlib.sha256(body).hexdigest(), by=by)
        return Client().generic(method, path, body, "application/octet-stream", headers=signed)

    def signed(
        self, method: str, path: str, digest: str, *, by: Market | None = None
    ) -> dict[str, str]:
        """Return the headers of a call that the machine signed for a body of this digest."""
        private = (by or self.market).agent.private
        self.signed_many += 1
        now_ms = int(_now().timestamp() * 1000) + self.signed_many
        text = request_text(
            method=method,
            path=path,
            sender=public_key_of(private),
            sent_at_ms=now_ms,
            digest=digest,
        )
        return {
            paths.HEADER_MACHINE: public_key_of(private),
            paths.HEADER_SENT_AT: str(now_ms),
            paths.HEADER_SIGNATURE: sign(private, text),
        }

    def put(self, placement_id: UUID, content: bytes, **more: Any) -> Any:
        """Return the answer to the machine's sending a file that a job left."""
        digest = more.pop("named", "") or hashlib.sha256(content).hexdigest()
        path = paths.AGENT_PLACEMENT_BLOB.format(placement_id=placement_id, digest=digest)
        return self.machine("PUT", path, content, digest=digest, **more)

    def get(self, digest: str, **more: Any) -> Any:
        """Return the answer to the machine's asking for an input."""
        return self.machine("GET", paths.AGENT_BLOB.format(digest=digest), **more)

    def tell(self, job: Job, state: ObservedState, *, at: float, **more: Any) -> None:
        """Have the machine report the job; ``counted`` are ages in ms of an interval with it."""
        counted = more.pop("counted", None)
        agent = self.market.agent
        intervals = [agent.count(job.placement_id, *counted)] if counted else []
        told = agent.observed(job.placement_id, state, run=1, **more)
        agent.sync(scene.after(at), placements=[told], intervals=intervals)

    def settle(self, job: Job, *, at: float) -> dict[str, Any]:
        """Have the machine say that nothing is left, charge, and return what the renter sees."""
        self.tell(job, ObservedState.GONE, at=at, exit_code=job.placement.exit_code)
        charge_all(now=scene.after(at))
        self.at(at)
        shown: dict[str, Any] = self.call("GET", f"/jobs/{job.id}").json()
        return shown


def _now() -> datetime:
    # By its module: that is where a test sets it.
    return timezone.now()


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.BLOBS_DIR = str(tmp_path / "blobs")


@pytest.fixture
def site(
    charlie: User, alice: User, give: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Site:
    market = Market.open(charlie)
    give(alice, 10_000_000)
    key = issue(user_id=alice.pk, name="jobs", now=scene.NOW)
    return Site(market, monkeypatch, alice.pk, key.secret).at(0)
