"""This will define what a machine's agent and the marketplace say to each other."""

import re
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from protocol.hardware import Hardware, Resources
from protocol.message import Counter, Message, Milliseconds
from protocol.receipts import SignedInterval
from protocol.signing import Digest, MachineKey, machine_key_of, openssh_public_key

#: seconds that the marketplace holds a sync open at most
SYNC_HOLD_S_MAX = 25
Port = Annotated[int, Field(ge=1, le=65535)]
#: a host name or IP address. People paste it into a shell and programs give it to ssh, so it can be
#: neither an option nor a command.
ADDRESS = re.compile(r"^[0-9A-Za-z:][0-9A-Za-z.:_-]{0,252}$")
Address = Annotated[str, Field(pattern=ADDRESS.pattern)]
#: what Docker takes as an image: never an option, a URL or a path out of its API
IMAGE_REFERENCE = re.compile(
    r"[0-9A-Za-z][0-9A-Za-z._-]*(:[0-9]+)?(/[0-9A-Za-z][0-9A-Za-z._-]*)*"
    r"(:[0-9A-Za-z_][0-9A-Za-z._-]*)?(@sha256:[0-9a-f]{64})?"
)
PublicKeyLine = Annotated[str, Field(min_length=16, max_length=2000)]
#: "ssh-ed25519 AAAA..." of a rental's own door. Renters paste it into a shell, so it is a key and
#: nothing beside it, written as we write keys.
HostKeyLine = Annotated[
    str,
    Field(pattern=r"^ssh-ed25519 [0-9A-Za-z+/]{68}$"),
    AfterValidator(lambda line: openssh_public_key(machine_key_of(line))),
]


class Problem(Message):
    """Why something was refused or failed: a stable code and one plain sentence."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
    message: Annotated[str, Field(max_length=1000)]


EnrolmentToken = Annotated[str, Field(min_length=8, max_length=200)]


class EnrolRequest(Message):
    """Signed by the machine's key like every request; the token says whose machine it is."""

    version: Literal[1] = 1
    token: EnrolmentToken
    machine_key: MachineKey
    agent_version: Annotated[str, Field(max_length=40)]
    #: where renters and validators reach this machine
    address: Address
    #: where validators reach the agent's own SSH door
    control_port: Port
    #: renters' doors are published inside [first, last]
    port_first: Port
    port_last: Port
    hardware: Hardware


class EnrolReply(Message):
    version: Literal[1] = 1
    machine_id: UUID


class PlacementKind(StrEnum):
    RENTAL = "rental"
    JOB = "job"
    REPLICA = "replica"


class Workload(Message):
    """What runs: an image, its environment and the resources it may use."""

    kind: PlacementKind = PlacementKind.RENTAL
    image: Annotated[str, Field(min_length=1, max_length=500)]
    #: empty: the image's own command
    command: tuple[Annotated[str, Field(max_length=4096)], ...] = ()
    environment: dict[str, Annotated[str, Field(max_length=8192)]] = Field(default_factory=dict)
    resources: Resources


class Want(StrEnum):
    RUN = "run"
    #: stop it, remove everything it had, then report it as GONE until it is desired no more
    END = "end"


class RefusedInterval(Message):
    """An interval that cannot be stored, and with it none that follows."""

    #: which one: the signature that it came with
    signature: Annotated[str, Field(max_length=200)]
    #: what the next interval names as ``previous`` instead
    previous: Digest
    reason: Annotated[str, Field(max_length=200)]


class DesiredPlacement(Message):
    placement_id: UUID
    want: Want
    workload: Workload
    gpu_uuids: tuple[str, ...] = ()
    authorized_keys: tuple[PublicKeyLine, ...] = ()
    #: stop by yourself when this much time passes without a newer reply; None: already ended
    run_for_ms: Milliseconds | None = None
    #: the next interval sequence the marketplace expects: everything below is stored
    next_sequence: Counter = 0
    #: drop what is unsent and go on from ``next_sequence``; None: all is well
    refused: RefusedInterval | None = None


class ObservedState(StrEnum):
    #: accepted; nothing exists yet
    ACCEPTED = "accepted"
    #: image, disk or container is being made
    PREPARING = "preparing"
    RUNNING = "running"
    #: it ended; what it had is being removed
    COLLECTING = "collecting"
    #: nothing of it is left on the machine, and every interval of it was sent by now
    GONE = "gone"


class ObservedPlacement(Message):
    placement_id: UUID
    state: ObservedState
    #: one line for people: "pulling 43 %"
    progress: Annotated[str, Field(max_length=200)] = ""
    #: set where the machine refused it or it failed; the state is then COLLECTING or GONE
    problem: Problem | None = None
    run: Counter = 0
    #: milliseconds since this run started (still counting after its end); None: not known
    age_ms: Milliseconds | None = None
    ssh_port: Port | None = None
    ssh_host_key: HostKeyLine | None = None
    exit_code: Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)] | None = None


class SyncRequest(Message):
    version: Literal[1] = 1
    agent_version: Annotated[str, Field(max_length=40)]
    boot_id: Annotated[str, Field(max_length=200)]
    #: the nonce of the last reply, empty at the first sync
    nonce: Annotated[str, Field(max_length=200)] = ""
    #: the newest revision applied; the reply is held until there is a newer one
    revision: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    #: 0: answer at once
    hold_s: Annotated[int, Field(ge=0, le=SYNC_HOLD_S_MAX)] = SYNC_HOLD_S_MAX
    placements: Annotated[tuple[ObservedPlacement, ...], Field(max_length=1000)] = ()
    intervals: Annotated[tuple[SignedInterval, ...], Field(max_length=1000)] = ()
    #: set when the hardware differs from what was last told
    hardware: Hardware | None = None
    #: why this machine can start nothing now: docker_unavailable
    problem: Problem | None = None


class SyncReply(Message):
    version: Literal[1] = 1
    nonce: str
    server_time_ms: int
    #: rises with every change of what is desired; a reply below the newest seen is refused
    revision: int
    desired: tuple[DesiredPlacement, ...] = ()
    #: "ssh-ed25519 AAAA..." of the validators that may log in to the agent's own SSH door
    validators: tuple[PublicKeyLine, ...] = ()


class ProblemReply(Message):
    """The body of every refused request (application/problem+json)."""

    status: int
    code: str
    detail: str
