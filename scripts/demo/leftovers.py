"""This will look for anything that the demo left behind on the machine."""

import os
from dataclasses import dataclass, field
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
    #: why nobody could look; empty where somebody did
    unseen: str = ""


def in_docker(machine: str) -> InDocker:
    """Return what Docker holds of the agent named ``machine``; ``unseen`` where none answers."""
    try:
        client = docker.from_env(timeout=20)
    except DockerException as error:
        return InDocker(unseen=str(error))
    try:
        containers = client.api.containers(all=True, filters={"label": LABEL_MACHINE})
        networks = client.api.networks(filters={"label": LABEL_MACHINE})
    except (DockerException, OSError) as error:
        return InDocker(unseen=str(error))
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


@dataclass(slots=True)
class Found:
    """What a demo saw of its traces, from its begin to its end."""

    used: InDocker = InDocker()
    now: InDocker = InDocker()
    rules_before: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)

    def left(self, folder: Path) -> list[str]:
        """Return one line about each thing that is left, or that nobody could look at."""
        lines = [*self.problems, *sorted(self.now.objects)]
        if self.now.unseen:
            reason = self.now.unseen[:200]
            lines.append(f"perhaps containers and networks: Docker does not answer ({reason})")
        return [*lines, *self._rules(), *on_machine(folder)]

    def _rules(self) -> list[str]:
        """Return the rules of our bridges, and the agents' own chains unless others need them."""
        rules = [rule for rule in firewall_rules.of_berth() if rule not in self.rules_before]
        bridges = self.used.bridges
        ours = [rule for rule in rules if any(bridge in rule for bridge in bridges)]
        shared = [rule for rule in rules if "BERTH-" in rule and not self.now.others]
        return [f"firewall rule {rule}" for rule in dict.fromkeys([*ours, *shared])]


def on_machine(folder: Path) -> list[str]:
    """Return the mounts and processes that belong to the demo in ``folder``."""
    mounted = [f"mount {point}" for point in mounts.below(folder)]
    running = (f"process {number} {words}" for number, words in processes_of(folder).items())
    return [*mounted, *running]


def processes_of(folder: Path) -> dict[int, str]:
    """Return the other processes whose command line or environment names ``folder``."""
    needle = str(folder.resolve()).encode()
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            # It ended meanwhile, or it is somebody else's.
            continue
        if int(process.name) != os.getpid() and (needle in command or needle in environment):
            words = command.replace(b"\0", b" ").decode(errors="replace")
            found[int(process.name)] = words[:120].strip()
    return found
