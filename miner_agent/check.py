"""This will look whether this machine can take part, and say what to do where it cannot."""

from dataclasses import dataclass

from miner_agent import firewall
from miner_agent.access import kit
from miner_agent.disk import STORAGE, is_supported
from miner_agent.engine import Engine, EngineUnavailable
from miner_agent.facts.gpus import read_gpus
from miner_agent.machine import Machine


@dataclass(frozen=True, slots=True)
class Result:
    """One thing looked at; ``needed``: without it the agent cannot run."""

    passed: bool
    sentence: str
    needed: bool = True


def check(machine: Machine) -> tuple[Result, ...]:
    """Look at Docker, the access kit's programs, the limits and the GPUs."""
    results = [_kit()]
    try:
        engine = Engine(machine.settings.docker_host).facts()
    except EngineUnavailable as error:
        results.append(
            Result(passed=False, sentence=f"{error}. Start Docker Engine or install it.")
        )
    else:
        results.append(Result(passed=True, sentence=f"Docker Engine {engine.version} answers."))
        results.append(_disk(engine.storage_driver))
    results.append(_firewall())
    gpus = read_gpus()
    results.append(Result(passed=True, sentence=f"{len(gpus)} NVIDIA GPUs were found."))
    results.append(_enrolled(machine))
    return tuple(results)


def _kit() -> Result:
    missing = kit.missing()
    if missing:
        return Result(passed=False, sentence=f"Install these packages: {' '.join(missing)}.")
    return Result(passed=True, sentence="Everything for the access kit is installed.")


def _disk(storage_driver: str) -> Result:
    if is_supported() and storage_driver == STORAGE:
        return Result(passed=True, sentence="Disk limits of rentals hold.")
    sentence = "Disk limits of rentals do not hold: this needs root and the overlay2 driver."
    return Result(passed=False, sentence=sentence, needed=False)


def _firewall() -> Result:
    if firewall.is_supported():
        return Result(passed=True, sentence="Rentals can be kept off this machine's network.")
    sentence = "Rentals can reach this machine's network: filtering needs root and iptables."
    return Result(passed=False, sentence=sentence, needed=False)


def _enrolled(machine: Machine) -> Result:
    passed = machine.key_path.exists()
    sentence = "This machine has its key." if passed else "This machine is not enrolled yet."
    return Result(passed=passed, sentence=sentence, needed=False)
