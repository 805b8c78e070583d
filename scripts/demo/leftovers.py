"""This will look for anything that the demo left behind on the machine."""

from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException

from scripts import firewall_rules, mounts

LABEL_MACHINE = "berth.machine"


@dataclass(frozen=True, slots=True)
class InDocker:
    """What an engine holds of one agent; other agents may use the same engine."""

    objects: frozenset[str] = frozenset()
    bridges: frozenset[str] = frozenset()
    #: another agent's objects are there too, so the shared firewall chains may stay
    others: bool = False


def in_docker(machine: str) -> InDocker:
    """Return what Docker holds of the agent named ``machine``; nothing where no engine answers."""
    try:
        client = docker.from_env(timeout=20)
    except DockerException:
        return InDocker()
    try:
        containers = client.api.containers(all=True, filters={"label": LABEL_MACHINE})
        networks = client.api.networks(filters={"label": LABEL_MACHINE})
    except (DockerException, OSError):
        return InDocker()
    finally:
        client.close()
    names = {f"container {one['Names'][0]}" for one in containers if is_of(one, machine)}
    names |= {f"network {one['Name']}" for one in networks if is_of(one, machine)}
    bridges = {
        str(one["Options"].get("com.docker.network.bridge.name", one["Id"]))
        for one in networks
        if is_of(one, machine)
    }
    others = any(not is_of(one, machine) for one in [*containers, *networks])
    return InDocker(frozenset(names), frozenset(bridges), others)


def is_of(found: dict[str, object], machine: str) -> bool:
    """Say whether a container or network carries the agent's label."""
    labels = found.get("Labels")
    return isinstance(labels, dict) and labels.get(LABEL_MACHINE) == machine


def firewall(bridges: frozenset[str], *, others: bool, before: frozenset[str]) -> list[str]:
    """Return the rules of our bridges, and the agents' own chains unless others need them."""
    rules = [rule for rule in firewall_rules.of_berth() if rule not in before]
    ours = [rule for rule in rules if any(bridge in rule for bridge in bridges)]
    shared = [rule for rule in rules if "BERTH-" in rule and not others]
    return [f"firewall rule {rule}" for rule in dict.fromkeys([*ours, *shared])]


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
