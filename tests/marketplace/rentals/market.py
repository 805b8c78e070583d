"""This will set up a market with one listed machine whose agent speaks signed syncs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace import reports
from marketplace.accounts.actions import add_ssh_key
from marketplace.accounts.models import User
from marketplace.domain.placement import PlacementState
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.models import Machine
from marketplace.metering.actions.charge import charge_all
from marketplace.offers.actions.list_offer import (
    LONGEST_TERM_S,
    PRICE_GPU_HOUR_MICROUSD,
    list_offer,
)
from marketplace.offers.models import Offer
from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door
from marketplace.rentals.actions import rent
from marketplace.rentals.models import Rental
from marketplace.verification.actions.record_verdict import record
from protocol import paths
from protocol.agent import ObservedState, SyncReply
from protocol.hardware import Resources
from protocol.receipts import GENESIS, Interval, SignedInterval, digest, sign_interval
from protocol.signing import public_key_of, request_bytes, sign
from tests.marketplace import scene
from tests.marketplace.reporting import take_in

ALICES_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVqPHVPv3bVtVhUTaUfDqBTbCjWEtFEqPHfrdHHvUmK alice"
)
CPU_HOUR_MICROUSD = 3_600_000
PARTS = ("image", "command", "environment", "ports", "runtime")


@dataclass
class Agent:
    """A machine's side of the sync, signed as the real one signs."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    nonce: str = ""
    revision: int = 0
    sent_at_ms: int = 0
    chain: list[SignedInterval] = field(default_factory=list)

    def sync(self, now: datetime, **told: Any) -> SyncReply:
        """Report and return the reply, as one call over the network does."""
        content = {"agent_version": "1", "boot_id": "boot-1", "nonce": self.nonce, **told}
        content.setdefault("revision", self.revision)
        body = json.dumps(content, default=str).encode()
        sent_at_ms = self.sent_at_ms = max(int(now.timestamp() * 1000), self.sent_at_ms + 1)
        key = public_key_of(self.private)
        signed = request_bytes(
            method="POST", path=paths.AGENT_SYNC, sender=key, sent_at_ms=sent_at_ms, body=body
        )
        headers = {
            paths.HEADER_MACHINE: key,
            paths.HEADER_SENT_AT: str(sent_at_ms),
            paths.HEADER_SIGNATURE: sign(self.private, signed),
        }
        machine_id = take_in(headers=headers, body=body, now=now).machine_id
        reply = reports.answer(machine_ids=[machine_id], now=now)[machine_id]
        assert isinstance(reply, SyncReply)
        self.nonce, self.revision = reply.nonce, reply.revision
        return reply

    def observed(self, placement_id: UUID, state: ObservedState, **more: Any) -> dict[str, Any]:
        """Return one placement as the agent reports it."""
        return scene.seen(placement_id, state, **more).model_dump(mode="json")

    def count(
        self, placement_id: UUID, from_age_ms: int, to_age_ms: int, *, run: int = 1
    ) -> dict[str, Any]:
        """Return the next signed interval of the chain."""
        interval = Interval(
            machine_key=public_key_of(self.private),
            placement_id=placement_id,
            sequence=len(self.chain),
            previous=digest(self.chain[-1].interval) if self.chain else GENESIS,
            run=run,
            from_age_ms=from_age_ms,
            to_age_ms=to_age_ms,
            nonce=self.nonce,
        )
        self.chain.append(sign_interval(self.private, interval))
        return self.chain[-1].model_dump(mode="json")


@dataclass(frozen=True)
class Outside:
    """Answers for the network: every door opens at once, or none does."""

    opens: bool = True

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        """Return the doors that answered."""
        return {door.placement_id: timedelta(0) for door in doors} if self.opens else {}


@dataclass
class Market:
    """One machine of Charlie's, verified and listed at a tenth of a cent per CPU-second."""

    agent: Agent
    machine: Machine
    offer: Offer

    @classmethod
    def open(cls, host: User, *, verified: bool = True) -> "Market":
        """Return the market as it is at scene.NOW."""
        agent = Agent()
        token = issue_token(host_id=host.pk, now=scene.NOW).token
        machine = enrol(request=scene.enrol_request(agent.private, token), now=scene.NOW)
        Offer.objects.create(
            machine=machine,
            price_gpu_hour_microusd=PRICE_GPU_HOUR_MICROUSD,
            price_cpu_hour_microusd=CPU_HOUR_MICROUSD,
            price_hour_microusd=CPU_HOUR_MICROUSD,
            longest_term_s=LONGEST_TERM_S,
            listed=True,
        )
        agent.sync(scene.NOW)
        if verified:
            record(signed=scene.Judge().admitted().verdict(machine), now=scene.NOW)
        # It fills in all that follows, so it comes last: it takes the longest of all this.
        list_offer(machine_id=machine.id, now=scene.NOW)
        machine.refresh_from_db()
        return cls(agent=agent, machine=machine, offer=Offer.objects.get(machine=machine))

    def rent(self, renter: User, *, now: datetime = scene.NOW, **changed: Any) -> Rental:
        """Start a rental of 1 CPU for an hour, but for what is ``changed``."""
        asked: dict[str, Any] = {
            "renter_id": renter.pk,
            "offer_id": self.offer.id,
            "parts": {"image": "debian:12"} | {n: v for n, v in changed.items() if n in PARTS},
            "resources": Resources.of(cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB),
            "lease_s": 3600,
            "cap_microusd": None,
            "ssh_key_ids": None,
            "idempotency_key": str(uuid4()),
            "now": now,
        }
        others = {name: value for name, value in changed.items() if name not in PARTS}
        return rent.rent(**(asked | others))

    def run(self, rental: Rental, *, at: datetime, door_after_s: float = 1) -> None:
        """Have the machine run it, and its SSH door seen from outside."""
        told = self.agent.observed(
            rental.placement_id,
            ObservedState.RUNNING,
            run=1,
            age_ms=0,
            ssh_port=20001,
            ssh_host_key=scene.HOST_KEY,
        )
        self.agent.sync(at, placements=[told])
        prove_reachable(now=at + timedelta(seconds=door_after_s), probe=Outside())

    def see(self, *, at: datetime) -> None:
        """Look at the doors that were not seen yet."""
        prove_reachable(now=at, probe=Outside())

    def halt(self, rental: Rental, *, at: datetime) -> None:
        """Have the machine hear that it shall stop, and say that it did."""
        self.agent.sync(at)
        told = self.agent.observed(rental.placement_id, ObservedState.STOPPED, run=1)
        self.agent.sync(at, placements=[told])

    def look(self, *, at: datetime, opens: bool = True) -> None:
        """Look at every running door again."""
        Placement.objects.filter(state=PlacementState.RUNNING).update(look_due_at=at)
        look_again(now=at, probe=Outside(opens=opens), chance=Random(1))

    def end(self, rental: Rental, *, at: datetime) -> None:
        """Have the machine say that nothing is left, and settle."""
        gone = self.agent.observed(rental.placement_id, ObservedState.GONE, run=1)
        self.agent.sync(at, placements=[gone])
        charge_all(now=at)


def give_key(renter: User) -> None:
    """Add an SSH key to the renter's account."""
    add_ssh_key.add(user_id=renter.pk, name="laptop", public_key=ALICES_KEY, now=scene.NOW)
