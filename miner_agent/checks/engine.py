"""This will look at Docker Engine."""

from collections.abc import Mapping
from pathlib import Path

from miner_agent.domain.container_spec import LABEL_MACHINE
from miner_agent.domain.findings import Finding, engine
from miner_agent.engine import Engine
from miner_agent.home import NotEnrolled
from miner_agent.machine import Machine
from miner_agent.settings import open_files_most

MEMORY = Path("/proc/meminfo")


def look(machine: Machine, docker: Engine, info: Mapping[str, object]) -> tuple[Finding, ...]:
    """Return what Docker's own words come to.

    :raises EngineUnavailable: when it does not answer any more.
    """
    return (
        engine.version(str(info.get("ServerVersion") or "")),
        engine.runc(docker.runc_version()),
        engine.limits(info),
        engine.swap_limit(info, swap_bytes=_swap_bytes()),
        engine.live_restore(info),
        engine.seccomp(info, needed=not machine.settings.allow_unisolated),
        engine.log_driver(info),
        engine.open_files(open_files_most()),
        engine.backing(info),
        engine.other_agents(_others(machine, docker)),
    )


def _swap_bytes() -> int:
    for line in MEMORY.read_text().splitlines():
        if line.startswith("SwapTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _others(machine: Machine, docker: Engine) -> set[str]:
    """Return the names of machines, other than this one, that have anything in this Docker."""
    try:
        own = machine.name()
    except NotEnrolled:
        own = ""
    return docker.labelled(LABEL_MACHINE) - {own}
