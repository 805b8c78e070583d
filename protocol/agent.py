"""This will define what a machine's agent and the marketplace say to each other."""

import re
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from protocol.container_log import LogAsked
from protocol.hardware import GPUS_MOST, Hardware, Text
from protocol.message import NO_CONTROL, Counter, Message, Milliseconds, each_once, shown
from protocol.receipts import SignedInterval
from protocol.signing import Digest, MachineKey, machine_key_of, openssh_public_key
from protocol.usage import INCIDENTS_MOST, Incident, Usage
from protocol.workload import (
    OUTPUTS_MOST,
    PORTS_MOST,
    DesiredVolume,
    JobFile,
    Port,
    VolumeState,
    Workload,
)

#: seconds that the marketplace holds a sync open at most
SYNC_HOLD_S_MAX = 25
#: placements, volumes and keys of one machine, in a request as in a reply
DESIRED_MOST = 1000
#: characters of what a person is told
SENTENCE_MOST, PROGRESS_MOST = 1000, 200
#: that may log in to one rental
KEYS_MOST = 256
#: as whom gateways log in to the agent's own SSH door. They may open direct-tcpip channels to a
#: running replica's placement id as the host and its HTTP port, and nothing else
GATEWAY_USER = "gateway"
#: a host name or IP address. People paste it into a shell and programs give it to ssh, so it can be
#: neither an option nor a command.
ADDRESS = re.compile(r"^[0-9A-Za-z:][0-9A-Za-z.:_-]{0,252}$")
Address = Annotated[str, Field(pattern=ADDRESS.pattern)]
PublicKeyLine = Annotated[str, Field(min_length=16, max_length=2000, pattern=NO_CONTROL)]
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
    #: a longer one is cut
    message: Annotated[str, shown(most=SENTENCE_MOST)]


#: the code of the problem with which a machine stops what is paid for no longer
PAID_OUT = "paid_out"
EnrolmentToken = Annotated[str, Field(min_length=8, max_length=200)]


class EnrolRequest(Message):
    """Signed by the machine's key like every request; the token says whose machine it is."""

    version: Literal[1] = 1
    token: EnrolmentToken
    machine_key: MachineKey
    agent_version: Annotated[str, shown(most=41), Field(max_length=40)]
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


class Want(StrEnum):
    RUN = "run"
    #: end its container and keep its files, its ports and its volumes; the rest is free for others
    STOP = "stop"
    #: stop it, remove everything it had, then report it as GONE until it is desired no more
    END = "end"


class RefusedInterval(Message):
    """An interval that cannot be stored, and with it none that follows."""

    #: which one: the signature that it came with
    signature: Annotated[str, Field(max_length=200)]
    #: what the next interval names as ``previous`` instead
    previous: Digest
    reason: Annotated[str, Field(max_length=200)]


#: characters of a password of a registry
PASSWORD_MOST = 4096


class RegistryLogin(Message):
    """Who may fetch a private image. An agent keeps it in memory only, and until it has it."""

    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Annotated[str, Field(min_length=1, max_length=PASSWORD_MOST, repr=False)]


class Notice(Message):
    """It stops soon although nobody asked for that; what runs is told inside."""

    #: a stable code: outbid
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
    #: by the marketplace's clock
    stops_at_ms: Milliseconds


class DesiredPlacement(Message):
    placement_id: UUID
    want: Want
    workload: Workload
    #: rises with every change of the workload, and goes back to the one that still runs when a
    #: change cannot be made; no number is ever used for two workloads
    edition: Counter = 0
    #: how often it was asked to start anew; its files stay
    restarts: Counter = 0
    #: how often its files, other than those in volumes, were asked to be thrown away
    resets: Counter = 0
    #: sent until the image is on the machine; None: everybody may fetch it
    registry_login: RegistryLogin | None = None
    gpu_uuids: Annotated[tuple[Text, ...], Field(max_length=GPUS_MOST)] = ()
    authorized_keys: Annotated[tuple[PublicKeyLine, ...], Field(max_length=KEYS_MOST)] = ()
    #: end it by yourself when this much time passes without a newer reply, stopped or not; None:
    #: already ended
    run_for_ms: Milliseconds | None = None
    #: stop it by yourself, its files kept, when this much time passes without a newer reply, and
    #: say PAID_OUT; None: it runs for as long as it is there
    stop_after_ms: Milliseconds | None = None
    #: None: it goes on, or the notice that it had is taken back
    notice: Notice | None = None
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
    #: its container has ended as it was asked to, its files are kept, and every interval of it was
    #: sent by now; the rest of the machine that it had is somebody else's from here on
    STOPPED = "stopped"
    #: it ended; what it had is being removed
    COLLECTING = "collecting"
    #: nothing of it is left on the machine, and every interval of it was sent by now
    GONE = "gone"


class PublishedPort(Message):
    """A TCP port inside and where the machine publishes it."""

    inside: Port
    outside: Port


class ObservedPlacement(Message):
    placement_id: UUID
    state: ObservedState
    #: one line for people: "pulling 43 %"
    progress: Annotated[str, shown(most=PROGRESS_MOST), Field(max_length=PROGRESS_MOST)] = ""
    #: set where the machine refused it or it failed; the state is then COLLECTING or GONE, or
    #: STOPPED where it is to run and cannot, or cannot any more: its files are kept
    problem: Problem | None = None
    run: Counter = 0
    #: milliseconds since this run started (still counting after its end); None: not known
    age_ms: Milliseconds | None = None
    ssh_port: Port | None = None
    ssh_host_key: HostKeyLine | None = None
    exit_code: Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)] | None = None
    ports: Annotated[tuple[PublishedPort, ...], Field(max_length=PORTS_MOST)] = ()
    #: which workload it runs, and what it was asked for that is done
    edition: Counter = 0
    restarts: Counter = 0
    resets: Counter = 0
    #: why the desired edition cannot run, or the newest reset cannot be made; what ran before goes
    #: on, and it is not tried again
    change_problem: Problem | None = None
    #: which edition that is about
    problem_edition: Counter = 0
    #: what a job left in /output, each stored by the marketplace already
    outputs: Annotated[tuple[JobFile, ...], Field(max_length=OUTPUTS_MOST)] = ()


class ObservedVolume(Message):
    volume_id: UUID
    state: VolumeState
    problem: Problem | None = None


class SyncRequest(Message):
    version: Literal[1] = 1
    agent_version: Annotated[str, shown(most=41), Field(max_length=40)]
    boot_id: Text
    #: the nonce of the last reply, empty at the first sync
    nonce: Annotated[str, Field(max_length=200)] = ""
    #: the newest revision applied; the reply is held until there is a newer one
    revision: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    #: 0: answer at once
    hold_s: Annotated[int, Field(ge=0, le=SYNC_HOLD_S_MAX)] = SYNC_HOLD_S_MAX
    placements: Annotated[
        tuple[ObservedPlacement, ...], Field(max_length=DESIRED_MOST), each_once("placement_id")
    ] = ()
    intervals: Annotated[tuple[SignedInterval, ...], Field(max_length=1000)] = ()
    volumes: Annotated[
        tuple[ObservedVolume, ...], Field(max_length=DESIRED_MOST), each_once("volume_id")
    ] = ()
    #: set when the hardware differs from what was last told
    hardware: Hardware | None = None
    #: why this machine can start nothing now: docker_unavailable, disk_full
    problem: Problem | None = None
    #: that placements may get of the range, in all; None: as many as its range has
    ports: Annotated[int, Field(ge=0, lt=1 << 16)] | None = None
    #: the newest reading, told once
    usage: Usage | None = None
    #: told until a reply came
    incidents: Annotated[tuple[Incident, ...], Field(max_length=INCIDENTS_MOST)] = ()


class SyncReply(Message):
    """What is desired of a machine. An agent refuses an item that it cannot read, and only that."""

    version: Literal[1] = 1
    #: given back with the next sync
    nonce: Annotated[str, Field(max_length=200, pattern=NO_CONTROL)]
    server_time_ms: Milliseconds
    #: rises with every change of what is desired; a reply below the newest seen is refused
    revision: Annotated[int, Field(ge=0, lt=1 << 63)]
    desired: Annotated[tuple[DesiredPlacement, ...], Field(max_length=DESIRED_MOST)] = ()
    #: "ssh-ed25519 AAAA..." of the validators that may log in to the agent's own SSH door
    validators: Annotated[tuple[PublicKeyLine, ...], Field(max_length=DESIRED_MOST)] = ()
    volumes: Annotated[tuple[DesiredVolume, ...], Field(max_length=DESIRED_MOST)] = ()
    #: "ssh-ed25519 AAAA..." of the gateways that may reach replicas through that door
    gateways: Annotated[tuple[PublicKeyLine, ...], Field(max_length=DESIRED_MOST)] = ()
    #: whose logs are asked for; left out where none is, as an agent before 0.2 knows no such field
    logs: Annotated[tuple[LogAsked, ...], Field(max_length=DESIRED_MOST)] = ()


class ProblemReply(Message):
    """The body of every refused request (application/problem+json)."""

    status: int
    code: str
    detail: str
