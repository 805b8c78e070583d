"""This will measure what one reading of every placement costs, against Docker's own statistics.

Run it as root on a machine with a Docker Engine: ``python -m benchmarks.usage --placements 20``.
Both read the same containers, interleaved round by round in the same run. CPU is that of the whole
process that asks; Docker's own part of the work, in dockerd, comes on top of its figure.
"""

import argparse
import json
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from miner_agent.facts import groups, load
from scripts.demo import image

NAME = "berth-benchmark-usage"


def main() -> None:
    """Print the CPU and wall time of a round of each, the median and the worst, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--placements", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    image.make()
    names = [f"{NAME}-{number}" for number in range(options.placements)]
    try:
        pids = [_start(name) for name in names]
        assert all(groups.read(pid) is not None for pid in pids), "A container cannot be read."
        rounds = [
            (_cost(lambda: _read(pids)), _cost(lambda: _ask_docker(names)))
            for _ in range(options.rounds)
        ]
    finally:
        subprocess.run(["docker", "rm", "-f", *names], capture_output=True, check=False)
    ours, dockers = zip(*rounds, strict=True)
    print(
        json.dumps(
            {
                "placements": options.placements,
                "rounds": options.rounds,
                "ours": _summary(ours),
                "docker_stats": _summary(dockers),
                "wall_ratio_median": round(
                    statistics.median(own[1] / other[1] for own, other in rounds), 4
                ),
            },
            indent=2,
        )
    )


def _start(name: str) -> int:
    command = ["docker", "run", "-d", "--name", name, "--network", "none", image.NAME, "sleep"]
    subprocess.run([*command, "1000"], capture_output=True, check=True, timeout=60)
    asked = ["docker", "inspect", "-f", "{{.State.Pid}}", name]
    return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


def _read(pids: Sequence[int]) -> None:
    load.read_machine(disk=Path("/"))
    for pid in pids:
        assert groups.read(pid) is not None


def _ask_docker(names: Sequence[str]) -> None:
    command = ["docker", "stats", "--no-stream", "--format", "{{.Name}}", *names]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert set(told.stdout.split()) == set(names)


def _cost(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of CPU, children included, and of wall time."""
    began, cpu = time.perf_counter(), _cpu_s()
    work()
    return _cpu_s() - cpu, time.perf_counter() - began


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _summary(costs: Sequence[tuple[float, float]]) -> dict[str, float]:
    cpu, wall = zip(*costs, strict=True)
    return {
        "cpu_ms_median": round(statistics.median(cpu) * 1000, 2),
        "cpu_ms_worst": round(max(cpu) * 1000, 2),
        "wall_ms_median": round(statistics.median(wall) * 1000, 2),
        "wall_ms_worst": round(max(wall) * 1000, 2),
    }


if __name__ == "__main__":
    main()
