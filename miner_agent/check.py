"""This will look whether this machine can take part, and say what to do where it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass

from miner_agent import disk, firewall, remap
from miner_agent.access import kit
from miner_agent.domain.runc import open_holes
from miner_agent.engine import EngineUnavailable
from miner_agent.facts.gpus import read_gpus
from miner_agent.machine import Machine, NotEnrolled
from protocol.address import is_private


class NotIsolated(Exception):
    """Rentals would not be kept apart from this machine; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Result:
    """One thing looked at; ``needed``: without it the agent cannot run."""

    passed: bool
    sentence: str
    needed: bool = True
    #: it keeps rentals apart from this machine
    isolates: bool = False


def check(machine: Machine) -> tuple[Result, ...]:
    """Look at Docker, the access kit's programs, the limits and the GPUs."""
    isolation_needed = not machine.settings.allow_unisolated
    disks_want = disk.missing()
    results = [_kit()]
    try:
        engine, runc = machine.engine().facts(), machine.engine().runc_version()
    except EngineUnavailable as error:
        sentence = f"{error}. Start Docker Engine or install it."
        results.append(Result(passed=False, sentence=sentence))
    else:
        sentence = f"Docker Engine {engine.version} answers."
        results += [
            Result(passed=True, sentence=sentence),
            _runc(runc),
            _isolates(
                remap.missing(engine.root_inside),
                holds="Root of rentals has no rights on this machine: userns-remap is on",
                lacks="Root of rentals is root of this machine if it ever gets out",
                needed=isolation_needed,
            ),
        ]
        if wants := remap.unusable(engine.root_inside):
            sentence = f"Rentals cannot start: {'; '.join(wants)}."
            results.append(Result(passed=False, sentence=sentence))
        disks_want = disk.missing(engine.storage_driver)
    results += [
        _isolates(
            disks_want,
            holds="Disk limits of rentals hold",
            lacks="Disk limits of rentals do not hold",
            needed=isolation_needed,
        ),
        _isolates(
            firewall.missing(),
            holds="Rentals can be kept off this machine's network",
            lacks="Rentals can reach this machine's network",
            needed=isolation_needed,
        ),
        Result(passed=True, sentence=f"{len(read_gpus())} NVIDIA GPUs were found."),
        _enrolled(machine),
    ]
    return tuple(results)


def refuse_unisolated(results: Sequence[Result]) -> None:
    """Let a machine serve that keeps rentals apart, or whose host wants it to serve anyway.

    :raises NotIsolated: when it does not.
    """
    broken = [one.sentence for one in results if one.isolates and one.needed and not one.passed]
    if broken:
        allow = "Or allow it: BERTH_AGENT_ALLOW_UNISOLATED=1."
        raise NotIsolated(" ".join((*broken, allow)))


def _kit() -> Result:
    missing = kit.missing()
    if missing:
        return Result(passed=False, sentence=f"Install these packages: {' '.join(missing)}.")
    return Result(passed=True, sentence="Everything for the access kit is installed.")


def _runc(version: str) -> Result:
    holes = open_holes(version)
    if not holes:
        return Result(passed=True, sentence=f"No known hole of runc {version} is open.")
    sentence = (
        f"runc {version} is older than the release that closes {', '.join(holes)}:"
        " see whether your distribution has mended its package."
    )
    return Result(passed=False, sentence=sentence, needed=False)


def _isolates(wants: Sequence[str], *, holds: str, lacks: str, needed: bool) -> Result:
    sentence = f"{lacks}: {'; '.join(wants)}." if wants else f"{holds}."
    return Result(passed=not wants, sentence=sentence, needed=needed, isolates=True)


def _enrolled(machine: Machine) -> Result:
    try:
        enrolled = machine.enrolment()
    except NotEnrolled as error:
        return Result(passed=False, sentence=str(error), needed=False)
    given, told = enrolled.address, machine.settings.address
    sentence = f"This machine is enrolled. Renters are given {given}."
    if told != given:
        sentence += f" BERTH_AGENT_ADDRESS says {told}: enroll again to change it."
    elif is_private(given):
        sentence += " It is reached from its own network only."
    passed = told == given and not is_private(given)
    return Result(passed=passed, sentence=sentence, needed=False)
