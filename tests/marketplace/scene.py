"""This will set up what most tests of the marketplace need: a host, a machine, a workload."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import bittensor_core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.accounts.models import User
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.actions.heartbeat import heartbeat
from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.models import Machine
from marketplace.placements.actions.place import place
from marketplace.placements.models import Placement
from marketplace.verification.actions.admit_validator import admit
from protocol import hotkey as hotkeys
from protocol.agent import EnrolRequest, ObservedPlacement, ObservedState, Problem, SyncRequest
from protocol.hardware import Gpu, Hardware, Resources
from protocol.message import canonical_bytes
from protocol.signing import openssh_public_key, public_key_of
from protocol.validator import Measurement, SignedVerdict, Verdict, VerdictState
from protocol.workload import Workload

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GIB = 1 << 30
#: of a rental's door
HOST_KEY = openssh_public_key("ab" * 32)


def after(seconds: float) -> datetime:
    """Return the moment so many seconds after the scene begins."""
    return NOW + timedelta(seconds=seconds)


def user(email: str = "host@example.org") -> User:
    """Return the person with this address, made when missing."""
    return User.objects.filter(email=email).first() or User.objects.create_user(email)


def hardware(*, cpus: int = 4, gpus: int = 0, cpu_model: str = "EPYC", **changed: int) -> Hardware:
    """Return what a machine with 8 GiB of memory and 100 GiB of disk says it has."""
    return Hardware(
        hostname="box",
        os="Debian 12",
        kernel="6.1",
        boot_id="boot-1",
        cpu_model=cpu_model,
        cpus=cpus,
        memory_bytes=changed.get("memory_bytes", 8 * GIB),
        disk_bytes=changed.get("disk_bytes", 100 * GIB),
        docker_version="20.10",
        storage_driver="overlay2",
        gpus=tuple(
            Gpu(uuid=f"GPU-{n}", model="H100", vram_bytes=80 * GIB, driver="550")
            for n in range(gpus)
        ),
    )


def enrol_request(
    private: Ed25519PrivateKey, token: str, *, of: Hardware | None = None
) -> EnrolRequest:
    """Return what an agent with this key sends to enrol."""
    return EnrolRequest(
        token=token,
        machine_key=public_key_of(private),
        agent_version="1",
        address="127.0.0.1",
        control_port=7000,
        port_first=20000,
        port_last=20100,
        hardware=of or hardware(),
    )


def sync_request(**changed: object) -> SyncRequest:
    """Return a sync that says nothing but that the machine is there."""
    return SyncRequest.model_validate({"agent_version": "1", "boot_id": "boot-1", **changed})


def machine(
    *, of: Hardware | None = None, host: User | None = None, now: datetime = NOW
) -> Machine:
    """Return an enrolled machine that was just heard from."""
    private = Ed25519PrivateKey.generate()
    token = issue_token(host_id=(host or user()).id, now=now).token
    made = enrol(request=enrol_request(private, token, of=of), now=now)
    heartbeat(machine_id=made.id, request=sync_request(), sent_at_ms=1, now=now)
    made.refresh_from_db()
    return made


def workload(*, cpus: int = 1, gpus: int = 0, ram_bytes: int = GIB) -> Workload:
    """Return a small workload."""
    resources = Resources.of(cpus=cpus, gpus=gpus, ram_bytes=ram_bytes, disk_bytes=2 * GIB)
    return Workload(image="debian:12", resources=resources)


def placement(
    on: Machine,
    *,
    funded_s: int = 3600,
    now: datetime = NOW,
    bid_hour_microusd: int | None = None,
    **asked: int,
) -> Placement:
    """Return a placement that was just offered to its machine, or waits for its room."""
    return place(
        placement_id=uuid4(),
        machine_id=on.id,
        workload=workload(**asked),
        authorized_keys=("ssh-ed25519 AAAAC3Nz",),
        funded_until=now + timedelta(seconds=funded_s),
        bid_hour_microusd=bid_hour_microusd,
        now=now,
    )


def seen(
    placement_id: UUID, state: ObservedState, *, problem: str = "", **more: object
) -> ObservedPlacement:
    """Return one placement as its machine reports it; ``problem`` is a code."""
    told = Problem(code=problem, message=f"It said {problem}.") if problem else None
    return ObservedPlacement.model_validate(
        {"placement_id": placement_id, "state": state, "problem": told, **more}
    )


@dataclass
class Judge:
    """An admitted validator that signs what it concludes."""

    keypair: bittensor_core.Keypair = field(
        default_factory=lambda: bittensor_core.Keypair.create_from_uri("//Judge")
    )

    def admitted(self) -> "Judge":
        """Return itself, admitted."""
        admit(hotkey=self.keypair.ss58_address, name="Judge", now=NOW)
        return self

    def verdict(self, on: Machine, **changed: object) -> SignedVerdict:
        """Return a signed verdict of VERIFIED for an hour, but for what is ``changed``."""
        now_ms = int(NOW.timestamp() * 1000)
        verdict = Verdict.model_validate(
            {
                "validator_hotkey": self.keypair.ss58_address,
                "machine_id": on.id,
                "machine_key": on.machine_key,
                "state": VerdictState.VERIFIED,
                "measurement": Measurement(cpus=4, cpu_hash_rate=8_000_000),
                "checked_at_ms": now_ms,
                "expires_at_ms": now_ms + 3_600_000,
                **changed,
            }
        )
        signature = hotkeys.sign(self.keypair, canonical_bytes(verdict))
        return SignedVerdict(verdict=verdict, signature=signature)
