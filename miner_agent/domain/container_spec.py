"""This will write the hardened container of a placement: what it may do, use and see."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from uuid import UUID

from pydantic import Field

from miner_agent.domain.generation import Generation
from miner_agent.domain.gpus import GpuAccess, GpuGrant
from miner_agent.domain.image import Image
from miner_agent.domain.resources import slot_subnet
from protocol.message import Message

LABEL_MACHINE = "berth.machine"
LABEL_PLACEMENT = "berth.placement"
LABEL_GENERATION = "berth.generation"
LABEL_SLOT = "berth.slot"

#: what root inside needs for chown, useradd, su and sshd; above all not MKNOD and not NET_RAW
CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
KIT_INSIDE = "/.access"
KEYS_INSIDE = "/.access-keys"
HOST_NAME = "rental"
#: a job's network: it has none
NO_NETWORK = "none"
#: files that Docker would otherwise give to the rental from the host's own disk, to write on
HOST_FILES = ("hosts", "hostname", "resolv.conf")
PIDS_PER_CORE = 1024
PIDS_LEAST = 2048
#: a higher hard limit than the daemon's own makes the start fail
OPEN_FILES_MOST = 20_000
PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: what would move programs of the host that start a container, such as NVIDIA's hook: it runs with
#: the container's variables (CVE-2025-23266) and takes devices from those of its own name
WITHHELD = re.compile(r"LD_.*|NVIDIA_(?!DRIVER_CAPABILITIES$|REQUIRE_|DISABLE_REQUIRE$).*")
#: names the signal that comes with a notice. Without it none comes, as these end a program that
#: does not know them; init.c passes exactly these on
NOTICE_VARIABLE = "BERTH_NOTICE_SIGNAL"
NOTICE_SIGNALS = frozenset({"USR1", "USR2", "HUP"})
#: variables that sshd sets itself for each session
SESSION_OWN = frozenset({"HOME", "LOGNAME", "MAIL", "SHELL", "TERM", "USER"})


class NetworkSpec(Message):
    name: str
    bridge: str
    subnet: str
    gateway: str
    slot: int
    #: nothing leads out of it
    internal: bool = False


class ContainerSpec(Message):
    """Everything Docker is asked for, and nothing it is not."""

    name: str
    image_id: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: dict[str, str]
    network: str
    #: port inside -> port of the machine
    ports: dict[int, int]
    bind_address: str
    #: host path -> path inside, all read-only
    mounts: dict[str, str]
    #: the same of what the container may write: volumes and a job's output
    writable_mounts: dict[str, str] = Field(default_factory=dict)
    #: what starts the container; empty: Docker's own choice
    runtime: str = ""
    capabilities: tuple[str, ...] = CAPABILITIES
    cores: tuple[int, ...]
    memory_bytes: int
    shared_memory_bytes: int
    pids_most: int
    open_files_most: int
    gpus: GpuGrant = GpuGrant()
    dns: tuple[str, ...] = ()


class Place(Message):
    """What the machine gives to every container it makes."""

    #: short name of this machine in object names and labels
    machine: str
    network: str
    bind_address: str
    kit: str
    keys: str
    open_files_most: int = OPEN_FILES_MOST
    dns: tuple[str, ...] = ()
    gpus: GpuGrant = GpuGrant()
    #: host path -> path inside of what is this placement's beside its disk
    read_only: dict[str, str] = Field(default_factory=dict)
    writable: dict[str, str] = Field(default_factory=dict)


def container_name(placement_id: UUID, generation: int) -> str:
    """Return the one name that this container of the placement can have."""
    return f"berth-{placement_id}-{generation}"


def network_spec(
    *, machine: str, network: IPv4Network, slot: int, internal: bool = False
) -> NetworkSpec:
    """Return the slot's network; the bridge name is what the firewall's wildcard matches."""
    subnet = slot_subnet(network=network, slot=slot)
    return NetworkSpec(
        name=f"berth-net-{machine}-{slot}" + ("-internal" if internal else ""),
        bridge=f"berth-{int(subnet.network_address):08x}",
        subnet=str(subnet),
        gateway=str(subnet.network_address + 1),
        slot=slot,
        internal=internal,
    )


def container_spec(*, placement_id: UUID, generation: Generation, place: Place) -> ContainerSpec:
    """Return the container of a generation that holds its cores, ports and network slot.

    The image's own command runs as a child of the access kit's PID 1.
    """
    if not generation.cores:
        raise ValueError("The generation holds no cores.")
    workload, image = generation.workload, generation.image
    memory_bytes = workload.resources.ram.capacity
    gpus = place.gpus
    # NVIDIA's hook reads the names; where Docker itself hands them out it shall do nothing.
    visible = ",".join(gpus.devices) if gpus.access is GpuAccess.NVIDIA else ""
    merged = {**image.environment, **workload.environment}
    withheld = (f"{name}={value}" for name, value in merged.items() if is_withheld(name))
    command = workload.command or image.entrypoint + image.command
    return ContainerSpec(
        name=container_name(placement_id, generation.number),
        image_id=image.image_id,
        entrypoint=(f"{KIT_INSIDE}/init",),
        command=(workload.kind.value, image.folder or "/", image.user, *withheld, "--", *command),
        # CUDA images ask for every GPU by themselves: "void" makes sure that none is handed out.
        environment={
            **_handed(workload.environment),
            **gpus.environment,
            "NVIDIA_VISIBLE_DEVICES": visible or "void",
        },
        network=place.network,
        ports=generation.ports,
        bind_address=place.bind_address,
        mounts=mounts(place),
        writable_mounts=place.writable,
        runtime=workload.runtime,
        cores=generation.cores,
        memory_bytes=memory_bytes,
        shared_memory_bytes=max(64 << 20, memory_bytes // 2),
        pids_most=max(PIDS_LEAST, PIDS_PER_CORE * len(generation.cores)),
        open_files_most=min(OPEN_FILES_MOST, place.open_files_most),
        gpus=gpus,
        dns=place.dns,
    )


def notice_signal(generation: Generation) -> str | None:
    """Return the signal that its command is sent with a notice; None: it named none that may be."""
    variables = {**generation.image.environment, **generation.workload.environment}
    named = variables.get(NOTICE_VARIABLE, "").upper().removeprefix("SIG")
    return f"SIG{named}" if named in NOTICE_SIGNALS else None


def mounts(place: Place) -> dict[str, str]:
    """Return every host path that the container sees and cannot write, and where."""
    files = {f"{place.keys}/{name}": f"/etc/{name}" for name in HOST_FILES}
    return {place.kit: KIT_INSIDE, place.keys: KEYS_INSIDE, **files, **place.read_only}


def session_environment(*, image: Image, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a login session sees: the image's variables, the renter's, the kit on PATH."""
    merged = {**image.environment, **environment}
    merged["PATH"] = f"{merged.get('PATH') or PATH_DEFAULT}:{KIT_INSIDE}/bin"
    return {
        name: value
        for name, value in merged.items()
        if name and "=" not in name and "\0" not in name + value and name not in SESSION_OWN
    }


def is_withheld(name: str) -> bool:
    """Say whether a variable is kept from Docker; PID 1 gives it to the image's command alone."""
    return WITHHELD.fullmatch(name) is not None


def _handed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Docker gets: a name with "=" in it would be another one's."""
    return {
        name: value
        for name, value in environment.items()
        if name and "=" not in name and not is_withheld(name)
    }
