"""Alice's endpoint on Charlie's machine, as the site, the machine and a gateway see it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import pytest
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.endpoints.actions.register_gateway import register
from marketplace.endpoints.actions.tell_looks import tell_looks
from marketplace.endpoints.models import Replica
from marketplace.placements.actions.note_looks import Look
from protocol import paths
from protocol.agent import ObservedState, SyncReply, Want
from protocol.hardware import Resources
from protocol.signing import openssh_public_key
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market

GATEWAY, SECOND_GATEWAY = openssh_public_key("11" * 32), openssh_public_key("22" * 32)
PRICE = CPU_HOUR_MICROUSD


def process_of(gateway: str) -> UUID:
    return uuid5(NAMESPACE_OID, gateway)


def present(gateway: str = GATEWAY, *, now: datetime = scene.NOW) -> None:
    """Have a gateway say that it is there."""
    register(public_key=gateway, process=process_of(gateway), now=now)


@dataclass
class Site:
    """The site as Alice, her machine's agent and a gateway see it, at times that the test sets."""

    market: Market
    renter: User
    key: str
    monkeypatch: pytest.MonkeyPatch

    def call(self, method: str, path: str, told: Any = None, *, at: float = 0) -> Any:
        now = scene.after(at)
        self.monkeypatch.setattr("django.utils.timezone.now", lambda: now)
        return Client().generic(
            method,
            f"{paths.API}{path}",
            json.dumps(told or {}),
            "application/json",
            headers={"Authorization": f"Bearer {self.key}"},
        )

    def create(self, **changed: Any) -> Any:
        asked = {
            "name": "echo",
            "image": "debian:12",
            "http_port": 8080,
            "resources": Resources.of(
                cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB
            ).model_dump(mode="json"),
            "price_hour_microusd_max": PRICE,
        }
        return self.call("POST", "/endpoints", asked | changed)

    def created(self, **changed: Any) -> Any:
        reply = self.create(**changed)
        assert reply.status_code == 201, reply.content
        return reply.json()

    def see(self, endpoint: Any, *, at: float = 0) -> Any:
        reply = self.call("GET", f"/endpoints/{endpoint['id']}", at=at)
        assert reply.status_code == 200, reply.content
        return reply.json()

    def tell(self, replica: Replica, state: ObservedState, *, at: float, **more: Any) -> SyncReply:
        """Have the machine report; ``counted`` are ages in ms of an interval with it."""
        counted = more.pop("counted", None)
        agent = self.market.agent
        intervals = [agent.count(replica.placement_id, *counted)] if counted else []
        told = agent.observed(replica.placement_id, state, run=1, **more)
        return agent.sync(scene.after(at), placements=[told], intervals=intervals)

    def look(self, replica: Replica, *, at: float, answered: bool = True, **more: Any) -> bool:
        """Have the gateway look at a replica."""
        look = Look(replica.placement_id, scene.after(at), answered=answered)
        return tell_looks(
            looks=[look],
            blind=more.pop("blind", False),
            process=more.pop("by", process_of(GATEWAY)),
            now=scene.after(at),
        )

    def ready(self, replica: Replica, *, at: float) -> None:
        """Have a replica run and answer."""
        self.tell(replica, ObservedState.RUNNING, at=at, age_ms=0)
        self.look(replica, at=at)


def newest() -> Replica:
    return Replica.objects.select_related("placement", "meter").order_by("begun_at").last()  # type: ignore[return-value]


def going_on() -> int:
    return Replica.objects.filter(placement__want=Want.RUN).count()


@pytest.fixture
def site(
    charlie: User, alice: User, give: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Site:
    market = Market.open(charlie)
    give(alice, 3 * PRICE)
    present()
    key = issue(user_id=alice.pk, name="endpoints", now=scene.NOW)
    return Site(market, alice, key.secret, monkeypatch)
