"""This will pack what helps to understand a machine, without anybody's secrets.

Only named fields are packed, and every text then loses what looks like a secret and every value
that a renter gave: tests/miner_agent/test_support_bundle.py plants some everywhere.
"""

import base64
import io
import json
import os
import platform
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from miner_agent import VERSION
from miner_agent.check import check
from miner_agent.command import CommandFailed, run
from miner_agent.domain.placement import Placement
from miner_agent.domain.redaction import redact
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.machine import Machine
from protocol.workload import Workload

UNIT = "berth-agent"
LOG_LINES = 3000
#: of Docker's own words; its labels, proxies and registries are the host's business
DOCKER_FIELDS = (
    "ServerVersion",
    "Driver",
    "DriverStatus",
    "CgroupVersion",
    "CgroupDriver",
    "SecurityOptions",
    "Runtimes",
    "DefaultRuntime",
    "LiveRestoreEnabled",
    "KernelVersion",
    "OperatingSystem",
    "NCPU",
    "MemTotal",
    "Containers",
    "ContainersRunning",
    "Images",
    "LoggingDriver",
    "CDISpecDirs",
    "Warnings",
)
SECRET_NAME = re.compile(r"(?i)password|passwd|secret|token|key|credential|auth")


def write(machine: Machine, target: Path) -> tuple[str, ...]:
    """Write the bundle, which only its owner can read, and return the names of what is in it."""
    secrets = _secrets(machine)
    names = []
    target.unlink(missing_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        os.fdopen(descriptor, "wb") as file,
        tarfile.open(fileobj=file, mode="w:gz") as archive,
    ):
        for name, text in _parts(machine):
            content = redact(text, secrets=secrets).encode()
            entry = tarfile.TarInfo(f"berth-agent/{name}")
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
            names.append(name)
    return tuple(names)


def _parts(machine: Machine) -> Iterator[tuple[str, str]]:
    yield "versions.json", _json(_versions())
    yield "settings.json", _json(_settings(machine))
    yield "checks.json", _json([asdict(finding) for finding in check(machine)])
    yield "placements.json", _json(_placements(machine))
    yield "docker.json", _json(_docker(machine))
    yield "log.txt", _log()
    yield "kernel.txt", _kernel()


def _settings(machine: Machine) -> dict[str, object]:
    """Return the settings; of the host's own work not what it does."""
    idle = machine.settings.idle
    told = None if idle is None else {"image": idle.image, "network": idle.network}
    return {**asdict(machine.settings), "idle": told}


def _versions() -> dict[str, object]:
    return {
        "agent": VERSION,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "packages": {one.name: one.version for one in metadata.distributions() if one.name},
    }


def _placements(machine: Machine) -> list[dict[str, object]]:
    journal = machine.journal_if_any()
    if journal is None:
        return []
    try:
        return [_placement(one) for one in journal.placements().values()]
    finally:
        journal.close()


def _placement(placement: Placement) -> dict[str, object]:
    """Return what happened to a placement; nothing that its renter wrote."""
    return {
        "placement": str(placement.placement_id),
        "kind": placement.workload.kind,
        "want": placement.want,
        "state": placement.state,
        "problem": placement.problem.model_dump() if placement.problem else None,
        "resources": placement.workload.resources.model_dump(),
        "gpus": list(placement.gpu_uuids),
        "cores": list(placement.cores),
        "port": placement.port,
        "slot": placement.slot,
        "run": placement.run.model_dump() if placement.run else None,
        "exit_code": placement.exit_code,
        "died_wall_ms": list(placement.died_wall_ms),
    }


def _docker(machine: Machine) -> dict[str, object]:
    try:
        info = machine.engine().info()
    except (EngineUnavailable, EngineRefused) as error:
        return {"error": str(error)}
    return {name: info.get(name) for name in DOCKER_FIELDS}


def _log() -> str:
    return _said("journalctl", "--unit", UNIT, "--lines", str(LOG_LINES), "--no-pager")


def _kernel() -> str:
    """Return what the kernel says of memory, disks and GPUs; nothing else of it is asked for."""
    words = re.compile(r"(?i)oom|NVRM|I/O error|EXT4-fs|XFS|nvme|out of memory")
    lines = _said("dmesg", "--ctime", "--level", "emerg,alert,crit,err,warn").splitlines()
    return "\n".join(line for line in lines if words.search(line))


def _said(*command: str) -> str:
    try:
        return run(command, characters_most=LOG_LINES * 300)
    except CommandFailed as error:
        return str(error)


def _secrets(machine: Machine) -> set[str]:
    """Return every value that somebody gave in confidence and that this process can know."""
    found = {value for name, value in os.environ.items() if SECRET_NAME.search(name)}
    journal = machine.journal_if_any()
    if journal is not None:
        for placement in journal.placements().values():
            for workload in _workloads(placement):
                found |= {*workload.environment.values(), *workload.command}
        journal.close()
    if machine.settings.idle is not None:
        found |= set(machine.settings.idle.command)
    for told in _strings(_read_json(Path.home() / ".docker" / "config.json").get("auths")):
        found |= {told, _password(told)}
    if machine.key_path.exists():
        found |= set(machine.key_path.read_text().split())
    return found


def _workloads(placement: Placement) -> Iterator[Workload]:
    """Yield what it shall run, what it runs and what it is about to run."""
    yield placement.workload
    for part in (placement.current, placement.coming):
        if part is not None:
            yield part.workload


def _password(told: str) -> str:
    """Return the password of a log-in as Docker keeps it; empty where it is none."""
    try:
        return base64.b64decode(told, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)


def _read_json(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _json(value: object) -> str:
    return json.dumps(value, indent=1, default=str)
