"""This will be a fleet of machines, each with one rental that runs, that signs its syncs."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.domain.placement import PlacementState
from marketplace.ledger.models import Account, Hold
from marketplace.machines.actions.describe import named
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter
from marketplace.placements.models import Placement
from protocol import paths
from protocol.agent import ObservedPlacement, ObservedState, SyncRequest, Want
from protocol.receipts import GENESIS, Interval, SignedInterval, digest, sign_interval
from protocol.signing import public_key_of, request_bytes, sign
from protocol.usage import MachineUsage, PlacementUsage, Usage
from tests.marketplace import scene

#: so long has each rental run when the benchmark begins; an interval is of ten seconds
RAN = timedelta(hours=1)
INTERVAL_MS = 10_000
SSH_PORT = 20_001


@dataclass(slots=True)
class Chain:
    """What one machine signed for one of the two servers."""

    nonce: str = ""
    sent_at_ms: int = 0
    last: SignedInterval | None = None


@dataclass(slots=True)
class Fleet:
    """Machines of one host, their keys, and what they have said."""

    machines: list["Signer"] = field(default_factory=list)

    def enrol(self, count: int) -> None:
        """Write the machines, their rentals and their meters straight into the database."""
        now = datetime.now(UTC)
        host, renter = (User.objects.create_user(f"{who}@example.com") for who in "ab")
        self.machines = [Signer() for _ in range(count)]
        with transaction.atomic():
            Machine.objects.bulk_create(_machine(one, host, now) for one in self.machines)
            Placement.objects.bulk_create(_placement(one, now) for one in self.machines)
            accounts = [Account(kind=AccountKind.HOLD, user=renter) for _ in self.machines]
            Account.objects.bulk_create(accounts)
            holds = [
                Hold(user=renter, account=account, cause=str(uuid4()), created_at=now)
                for account in accounts
            ]
            Hold.objects.bulk_create(holds)
            Meter.objects.bulk_create(
                Meter(
                    placement_id=one.placement_id,
                    host=host,
                    hold=hold,
                    price_hour_microusd=3_600_000,
                    fee_ppm=50_000,
                    opened_at=now - RAN,
                )
                for one, hold in zip(self.machines, holds, strict=True)
            )


@dataclass(slots=True)
class Signer:
    """One machine."""

    machine_id: UUID = field(default_factory=uuid4)
    placement_id: UUID = field(default_factory=uuid4)
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    chains: dict[str, Chain] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return its identity."""
        return public_key_of(self.private)

    def request(self, server: str, kind: str) -> bytes:
        """Return a whole HTTP request: ``quiet``, ``running`` or ``metered``."""
        chain = self.chains.setdefault(server, Chain())
        told = SyncRequest(
            agent_version="0.1.0",
            boot_id="7a1c7c4e-2f57-4a0c-9f0e-6f7c3f1f6a51",
            nonce=chain.nonce,
            hold_s=0,
            placements=() if kind == "quiet" else (self._observed(chain),),
            intervals=(self._interval(chain),) if kind == "metered" else (),
            usage=self._usage() if kind == "metered" else None,
        )
        return self.signed(server, told.model_dump_json(exclude_defaults=True).encode())

    def signed(self, server: str, body: bytes, *, forged: bool = False) -> bytes:
        """Return a body as a whole HTTP request, signed as the machine's next word."""
        chain = self.chains.setdefault(server, Chain())
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        chain.sent_at_ms = max(chain.sent_at_ms + 1, now_ms)
        content = request_bytes(
            method="POST",
            path=paths.AGENT_SYNC,
            sender=self.key,
            sent_at_ms=chain.sent_at_ms,
            body=body + b" " * forged,
        )
        return (
            f"POST {paths.AGENT_SYNC} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"{paths.HEADER_MACHINE}: {self.key}\r\n{paths.HEADER_SENT_AT}: {chain.sent_at_ms}\r\n"
            f"{paths.HEADER_SIGNATURE}: {sign(self.private, content)}\r\n\r\n"
        ).encode() + body

    def _observed(self, chain: Chain) -> ObservedPlacement:
        age_ms = 0 if chain.last is None else chain.last.interval.to_age_ms + INTERVAL_MS
        return ObservedPlacement(
            placement_id=self.placement_id,
            state=ObservedState.RUNNING,
            run=1,
            age_ms=age_ms,
            ssh_port=SSH_PORT,
            ssh_host_key=scene.HOST_KEY,
        )

    def _interval(self, chain: Chain) -> SignedInterval:
        last = chain.last and chain.last.interval
        from_age_ms = 0 if last is None else last.to_age_ms
        chain.last = sign_interval(
            self.private,
            Interval(
                machine_key=self.key,
                placement_id=self.placement_id,
                sequence=0 if last is None else last.sequence + 1,
                previous=GENESIS if last is None else digest(last),
                run=1,
                from_age_ms=from_age_ms,
                to_age_ms=from_age_ms + INTERVAL_MS,
                nonce=chain.nonce,
            ),
        )
        return chain.last

    def _usage(self) -> Usage:
        machine = MachineUsage(
            load_milli=1500,
            memory_used_bytes=3 << 30,
            memory_bytes=8 << 30,
            disk_used_bytes=30 << 30,
            disk_bytes=100 << 30,
        )
        used = PlacementUsage(
            placement_id=self.placement_id, run=1, cpu_ms=60_000, memory_bytes=1 << 28
        )
        return Usage(machine=machine, placements=(used,))


def _machine(one: Signer, host: User, now: datetime) -> Machine:
    has = scene.hardware()
    sizes = {"cpus": has.cpus, "memory_bytes": has.memory_bytes, "disk_bytes": has.disk_bytes}
    return Machine(
        id=one.machine_id,
        host=host,
        machine_key=one.key,
        address="127.0.0.1",
        control_port=7000,
        port_first=20_000,
        port_last=20_100,
        agent_version="0.1.0",
        online=True,
        enrolled_at=now,
        last_seen_at=now,
        uptime_counted_at=now,
        **{f"{name}_total": size for name, size in sizes.items()},
        **{f"{name}_free": size for name, size in sizes.items()},
        **named(has),
    )


def _placement(one: Signer, now: datetime) -> Placement:
    asked = scene.workload()
    return Placement(
        id=one.placement_id,
        machine_id=one.machine_id,
        kind=asked.kind,
        state=PlacementState.RUNNING,
        want=Want.RUN,
        workload=asked.model_dump(mode="json"),
        authorized_keys=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVqPHVPv3bVtVhUTaUfDqBTbCjWEtFE"],
        cpus=1,
        memory_bytes=scene.GIB,
        disk_bytes=2 * scene.GIB,
        funded_until=now + RAN,
        deadline_at=now + RAN,
        created_at=now - RAN,
        accepted_at=now - RAN,
        running_at=now - RAN,
        reachable_at=now - RAN,
        door_open_since=now - RAN,
        door_seen_at=now,
        door_looks=1,
        run=1,
        ssh_host="127.0.0.1",
        ssh_port=SSH_PORT,
        ssh_host_key=scene.HOST_KEY,
    )
