"""This will look for anything that the demo left behind on the machine."""

from pathlib import Path

import docker
from docker.errors import DockerException

from scripts import firewall_rules, mounts


def seen() -> set[str]:
    """Return what Docker and the packet filter hold now, to compare with later."""
    return in_docker() | {f"firewall rule {rule}" for rule in firewall_rules.of_berth()}


def in_docker() -> set[str]:
    """Return Docker's containers and networks; empty where no engine answers."""
    try:
        client = docker.from_env(timeout=20)
    except DockerException:
        return set()
    try:
        containers = {f"container {found.name}" for found in client.containers.list(all=True)}
        return containers | {f"network {found.name}" for found in client.networks.list()}
    except (DockerException, OSError):
        return set()
    finally:
        client.close()


def on_machine(folder: Path) -> list[str]:
    """Return the mounts and processes that belong to the demo in ``folder``."""
    mounted = [f"mount {point}" for point in mounts.below(folder)]
    return [*mounted, *(f"process {found}" for found in processes_of(folder))]


def processes_of(folder: Path) -> list[str]:
    """Return the processes whose command line or environment names ``folder``."""
    needle = str(folder.resolve()).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            # It ended meanwhile, or it is somebody else's.
            continue
        if needle in command or needle in environment:
            words = command.replace(b"\0", b" ").decode(errors="replace")
            found.append(f"{process.name} {words[:120].strip()}")
    return found
