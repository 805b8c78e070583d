"""This will read the agent's settings from its options and the environment."""

import os
import resource
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from urllib.parse import urlsplit

from miner_agent import enrolment
from miner_agent.domain.container_spec import OPEN_FILES_MOST
from miner_agent.domain.gpus import SLOTS_MOST
from miner_agent.domain.spare import Job
from protocol.agent import ADDRESS
from protocol.workload import IMAGE_REFERENCE

URL_DEFAULT = "http://127.0.0.1:8000"
NETWORK_DEFAULT = "10.213.0.0/16"
PORTS_DEFAULT = "20000-20999"
CONTROL_PORT_DEFAULT = "20022"
#: half an hour
PROOF_S_PER_DAY_DEFAULT = 1800
METRICS_DEFAULT = "127.0.0.1:9464"
#: public ones: the host's own are often inside his network, where the firewall lets nobody, and
#: know names that are no renter's business
DNS_DEFAULT = "1.1.1.1 8.8.8.8"


class BadSetting(ValueError):
    """A setting cannot be used; the sentence names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this machine takes part. Each field's variable is named beside it in ``read``."""

    home: Path
    marketplace_url: str
    #: where renters and validators reach this machine; None: nobody has said, nor enrolled it
    address: str | None
    control_port: int
    port_first: int
    port_last: int
    #: None: most of what is free on Docker's disk
    disk_bytes: int | None
    docker_host: str | None
    #: the private range that rentals' networks are cut from
    network: IPv4Network
    #: name servers of rentals; empty: the host's own
    dns: tuple[str, ...]
    #: patterns of the host's own images that renters may use
    images: tuple[str, ...] = ()
    #: parts that each card is shared in by MPS; 1: cards are given away whole
    gpu_slots: int = 1
    #: what is fetched before anybody asks for it
    prepull: tuple[str, ...] = ()
    #: of all fetched images; None: as the disk has room
    images_bytes: int | None = None
    #: what else than Docker's own choice may start containers here
    runtimes: tuple[str, ...] = ()
    #: serve rentals also where they have no disk limit or reach this machine's network
    allow_unisolated: bool = False
    #: what the host keeps of the machine for itself
    keep_cpus: int = 0
    keep_memory_bytes: int = 0
    #: the host's own work on what nobody rents; None: there is none
    idle: Job | None = None
    #: where Prometheus may ask, (host, port); None: nowhere
    metrics: tuple[str, int] | None = None

    #: of each placement's network, each way; None: no limit
    bandwidth_mbit: int | None = None
    #: of a day, that validators' proofs may have
    proof_s_per_day: int = PROOF_S_PER_DAY_DEFAULT

    def __post_init__(self) -> None:
        if self.address is not None and not ADDRESS.fullmatch(self.address):
            raise BadSetting("BERTH_AGENT_ADDRESS must be a host name or an IP address.")
        if not _is_url(self.marketplace_url):
            raise BadSetting("BERTH_MARKETPLACE_URL must look like https://berth.example.")
        parts = urlsplit(self.marketplace_url)
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            # Whoever answers in its place decides what runs here, and reads renters' passwords.
            raise BadSetting("BERTH_MARKETPLACE_URL must begin with https://, or be this machine.")

    @property
    def bind_address(self) -> str:
        """Return the address to listen on: everywhere, unless the machine's own is a loopback."""
        loopback = _is_loopback(self.address or "localhost")
        return "127.0.0.1" if loopback else "0.0.0.0"  # noqa: S104


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings; where the environment is silent, the enrolment's.

    :raises BadSetting: when one of them is malformed.
    """
    first, last = _ports(environment.get("BERTH_AGENT_PORTS", PORTS_DEFAULT))
    disk = environment.get("BERTH_AGENT_DISK_BYTES", "")
    images = environment.get("BERTH_AGENT_IMAGES_BYTES", "")
    home = Path(environment.get("BERTH_AGENT_HOME") or _home_default()).absolute()
    known = enrolment.read(home)
    url, address = (known.marketplace_url, known.address) if known else (URL_DEFAULT, None)
    return Settings(
        home=home,
        marketplace_url=environment.get("BERTH_MARKETPLACE_URL", url),
        address=environment.get("BERTH_AGENT_ADDRESS", address),
        control_port=_port(
            "BERTH_AGENT_CONTROL_PORT",
            environment.get("BERTH_AGENT_CONTROL_PORT", CONTROL_PORT_DEFAULT),
        ),
        port_first=first,
        port_last=last,
        disk_bytes=_natural("BERTH_AGENT_DISK_BYTES", disk) if disk else None,
        docker_host=environment.get("DOCKER_HOST") or None,
        network=_network(environment.get("BERTH_AGENT_NETWORK", NETWORK_DEFAULT)),
        dns=tuple(environment.get("BERTH_AGENT_DNS", DNS_DEFAULT).split()),
        images=tuple(environment.get("BERTH_AGENT_IMAGES", "").split()),
        gpu_slots=_gpu_slots(environment.get("BERTH_AGENT_GPU_SLOTS", "1")),
        prepull=_references(environment.get("BERTH_AGENT_PREPULL", "")),
        images_bytes=_natural("BERTH_AGENT_IMAGES_BYTES", images) if images else None,
        keep_cpus=_natural("BERTH_AGENT_KEEP_CPUS", environment.get("BERTH_AGENT_KEEP_CPUS", "0")),
        keep_memory_bytes=_natural(
            "BERTH_AGENT_KEEP_MEMORY_BYTES", environment.get("BERTH_AGENT_KEEP_MEMORY_BYTES", "0")
        ),
        idle=_idle(environment),
        metrics=_metrics(environment.get("BERTH_AGENT_METRICS", METRICS_DEFAULT)),
        bandwidth_mbit=_mbit(environment.get("BERTH_AGENT_BANDWIDTH_MBIT", "")),
        proof_s_per_day=_natural(
            "BERTH_AGENT_PROOF_S_PER_DAY",
            environment.get("BERTH_AGENT_PROOF_S_PER_DAY", str(PROOF_S_PER_DAY_DEFAULT)),
        ),
        runtimes=tuple(environment.get("BERTH_AGENT_RUNTIMES", "").split()),
        allow_unisolated=_flag(
            "BERTH_AGENT_ALLOW_UNISOLATED", environment.get("BERTH_AGENT_ALLOW_UNISOLATED", "0")
        ),
    )


def open_files_most() -> int:
    """Return the open files that a container may have: the daemon refuses more than its own."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return OPEN_FILES_MOST if hard == resource.RLIM_INFINITY else min(OPEN_FILES_MOST, hard)


def _home_default() -> str:
    if os.geteuid() == 0:
        return "/var/lib/berth-agent"
    return str(Path.home() / ".local" / "state" / "berth-agent")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _ports(text: str) -> tuple[int, int]:
    first, separator, last = text.partition("-")
    if not separator:
        raise BadSetting("BERTH_AGENT_PORTS must look like 20000-20999.")
    numbers = _port("BERTH_AGENT_PORTS", first), _port("BERTH_AGENT_PORTS", last)
    if numbers[0] > numbers[1]:
        raise BadSetting("BERTH_AGENT_PORTS must go from the lower to the higher port.")
    return numbers


def _idle(environment: Mapping[str, str]) -> Job | None:
    image = environment.get("BERTH_AGENT_IDLE_IMAGE", "")
    if not image:
        return None
    try:
        command = shlex.split(environment.get("BERTH_AGENT_IDLE_COMMAND", ""))
    except ValueError as error:
        raise BadSetting(f"BERTH_AGENT_IDLE_COMMAND cannot be read: {error}.") from error
    network = _flag("BERTH_AGENT_IDLE_NETWORK", environment.get("BERTH_AGENT_IDLE_NETWORK", "0"))
    return Job(image=image, command=tuple(command), network=network)


def _metrics(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, separator, port = text.rpartition(":")
    if not separator or not host:
        raise BadSetting("BERTH_AGENT_METRICS must look like 127.0.0.1:9464, or be empty.")
    return host.strip("[]"), _port("BERTH_AGENT_METRICS", port)


def _port(name: str, text: str) -> int:
    port = _natural(name, text)
    if not 1 <= port <= 65535:
        raise BadSetting(f"{name} must be from 1 to 65535.")
    return port


def _mbit(text: str) -> int | None:
    if not text:
        return None
    mbit = _natural("BERTH_AGENT_BANDWIDTH_MBIT", text)
    if mbit < 1:
        raise BadSetting("BERTH_AGENT_BANDWIDTH_MBIT must be 1 or more; leave it out for no limit.")
    return mbit


def _flag(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise BadSetting(f"{name} must be 1 or 0.")
    return text == "1"


def _gpu_slots(text: str) -> int:
    slots = _natural("BERTH_AGENT_GPU_SLOTS", text)
    if not 1 <= slots <= SLOTS_MOST:
        raise BadSetting(f"BERTH_AGENT_GPU_SLOTS must be from 1 to {SLOTS_MOST}.")
    return slots


def _natural(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise BadSetting(f"{name} must be a whole number.")
    return int(text)


def _references(text: str) -> tuple[str, ...]:
    references = tuple(text.split())
    for reference in references:
        if not IMAGE_REFERENCE.fullmatch(reference):
            raise BadSetting(f"BERTH_AGENT_PREPULL names {reference}: no image can have that name.")
    return references


def _network(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise BadSetting(f"BERTH_AGENT_NETWORK is not an IPv4 network: {error}.") from error
    if not network.is_private or network.prefixlen > 28:
        raise BadSetting("BERTH_AGENT_NETWORK must be a private network of at least /28.")
    return network
