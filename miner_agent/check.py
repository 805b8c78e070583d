"""This will look whether this machine can take part, and say what to do where it cannot."""

from collections.abc import Sequence

from miner_agent import bandwidth, disk, firewall, kernel_tables, remap
from miner_agent.access import kit
from miner_agent.checks import engine as engine_checks
from miner_agent.checks import gpus as gpu_checks
from miner_agent.checks import network as network_checks
from miner_agent.checks import system as system_checks
from miner_agent.domain.findings import Finding
from miner_agent.engine import EngineUnavailable
from miner_agent.home import NotEnrolled
from miner_agent.machine import Machine
from protocol.address import is_private


class NotIsolated(Exception):
    """Rentals would not be kept apart from this machine; the sentence says what to do."""


def check(machine: Machine, *, asks: bool = True) -> tuple[Finding, ...]:
    """Look at everything; ``asks``: also at the marketplace, which may take seconds."""
    needed = not machine.settings.allow_unisolated
    docker_root, disks_want = "", disk.missing()
    cdi_folders: tuple[str, ...] = ()
    findings = [_kit()]
    try:
        docker = machine.engine()
        engine, info = docker.facts(), docker.info()
        looked = engine_checks.look(machine, docker, info)
    except EngineUnavailable as error:
        findings.append(_docker(f"{error}.", answers=False))
    else:
        docker_root, cdi_folders = engine.root, engine.cdi_folders
        disks_want = disk.missing(engine.storage_driver)
        findings += [
            _docker(f"Docker Engine {engine.version} answers.", answers=True),
            *looked,
            _isolates(
                "userns-remap",
                remap.missing(engine.root_inside),
                holds="Root of rentals has no rights on this machine: userns-remap is on",
                lacks="Root of rentals is root of this machine if it ever gets out",
                needed=needed,
            ),
            *_usable(remap.unusable(engine.root_inside)),
        ]
    findings += [
        _isolates(
            "disk-limits",
            disks_want,
            holds="Disk limits of rentals hold",
            lacks="Disk limits of rentals do not hold",
            needed=needed,
        ),
        _isolates(
            "firewall",
            firewall.missing(),
            holds="Rentals can be kept off this machine's network",
            lacks="Rentals can reach this machine's network",
            needed=needed,
        ),
        *_bandwidth(machine.settings.bandwidth_mbit),
        _tables(),
        *system_checks.look(machine, docker_root=docker_root),
        *network_checks.look(machine),
        *gpu_checks.look(cdi_folders),
        _enrolled(machine),
    ]
    if asks:
        findings += network_checks.ask(machine)
    return tuple(findings)


def refuse_unisolated(findings: Sequence[Finding]) -> None:
    """Let a machine serve that keeps rentals apart, or whose host wants it to serve anyway.

    :raises NotIsolated: when it does not.
    """
    broken = [one.sentence for one in findings if one.isolates and one.needed and not one.passed]
    if broken:
        allow = "Or allow it: BERTH_AGENT_ALLOW_UNISOLATED=1."
        raise NotIsolated(" ".join((*broken, allow)))


def _kit() -> Finding:
    missing = kit.missing()
    return Finding(
        id="access-kit",
        passed=not missing,
        actual=(
            "The access kit cannot be made."
            if missing
            else "Everything for the access kit is installed."
        ),
        required="the programs that rentals' SSH is made of",
        why="Renters reach their rentals by it.",
        fix=f"Install these packages: {' '.join(missing)}." if missing else "",
    )


def _docker(actual: str, *, answers: bool) -> Finding:
    return Finding(
        id="docker",
        passed=answers,
        actual=actual,
        required="a Docker Engine that answers",
        why="Rentals are its containers.",
        fix="Start Docker Engine or install it.",
    )


def _bandwidth(mbit: int | None) -> tuple[Finding, ...]:
    if mbit is None:
        return ()
    wants = bandwidth.missing()
    finding = Finding(
        id="bandwidth",
        passed=not wants,
        actual=f"Networks of rentals {'cannot be' if wants else 'are'} held to {mbit} Mbit/s.",
        required="tc, as BERTH_AGENT_BANDWIDTH_MBIT is set",
        why="No rental starts without the limit that you have set.",
        fix=f"{'; '.join(wants)}.",
    )
    return (finding,)


def _tables() -> Finding:
    # How many files can be watched is a finding of its own.
    wants = [want for want in kernel_tables.missing() if "inotify" not in want]
    return Finding(
        id="kernel-tables",
        passed=not wants,
        actual=f"The kernel's shared tables are {'narrow' if wants else 'wide enough'}.",
        required="room for terminals and asynchronous requests of many rentals",
        why="One rental could use up a table for all.",
        fix=f"Run: {'; '.join(wants)}. `berth-agent run` does it.",
        needed=False,
    )


def _isolates(name: str, wants: Sequence[str], *, holds: str, lacks: str, needed: bool) -> Finding:
    return Finding(
        id=name,
        passed=not wants,
        actual=f"{lacks}:" if wants else f"{holds}.",
        required=holds[:1].lower() + holds[1:],
        why="Strangers are root in rentals.",
        fix=f"{'; '.join(wants)}.",
        needed=needed,
        isolates=True,
    )


def _usable(wants: Sequence[str]) -> tuple[Finding, ...]:
    if not wants:
        return ()
    finding = Finding(
        id="rights",
        passed=False,
        actual="Rentals cannot start:",
        required="root, where Docker maps users",
        why="Files of rentals have to be given to the mapped users.",
        fix=f"{'; '.join(wants)}.",
    )
    return (finding,)


def _enrolled(machine: Machine) -> Finding:
    problem, passed = "", False
    try:
        enrolled = machine.enrolment()
    except NotEnrolled as error:
        actual = str(error)
    else:
        given, told = enrolled.address, machine.settings.address
        actual = f"This machine is enrolled. Renters are given {given}."
        passed = told == given and not is_private(given)
        if told != given:
            problem = f"BERTH_AGENT_ADDRESS says {told}: enroll again to change it."
        elif not passed:
            problem = "It is reached from its own network only."
    return Finding(
        id="enrolled",
        passed=passed,
        actual=actual,
        required="enrolled with an address that the internet reaches",
        why="Renters are sent there.",
        fix=problem,
        needed=False,
    )
