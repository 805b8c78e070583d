"""This will measure the time from the rent click to the SSH banner against Docker's own start.

Run it as root on a machine with a Docker Engine: ``python -m benchmarks.allocation --rounds 50``.
A round is rentals clicked at once, timed until the marketplace says that the SSH door answered to
its own look from outside, and beside it the floor: ``docker run -d`` of the same image as many
times at once, until the commands return. Both are interleaved round by round in the same run.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.demo import image
from tests.journeys.conftest import Renter
from tests.journeys.stack import Stack, until

GOAL = "floor + 1 s, p95 <= 5 s"


def main() -> None:
    """Print medians, 95th percentiles, and the spread of the per-round ratios, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=1, help="each rental takes a whole core")
    options = parser.parse_args()
    image.make()
    with tempfile.TemporaryDirectory(prefix="berth-benchmark-") as folder:
        stack = Stack(Path(folder), network="10.215.0.0/24")
        try:
            stack.open()
            renter = _renter(stack)
            _rent(renter, options.at_once)
            pairs = [
                (_rent(renter, options.at_once), _floor(options.at_once))
                for _ in range(options.rounds)
            ]
        finally:
            stack.close()
    rents = [took for rented, _ in pairs for took in rented]
    floors = [took for _, floor in pairs for took in floor]
    worst = [(max(rented), max(floor)) for rented, floor in pairs]
    told = {
        "rounds": options.rounds,
        "at_once": options.at_once,
        "image": image.NAME,
        "goal": GOAL,
        "rent_to_banner_ms": _summary(rents),
        "docker_run_ms": _summary(floors),
        "ratio": _spread([rent / floor for rent, floor in worst], digits=2),
        "beyond_floor_ms": _spread([(rent - floor) * 1000 for rent, floor in worst], digits=0),
    }
    print(json.dumps(told, indent=2))


def _renter(stack: Stack) -> Renter:
    identity = stack.folder / "alice"
    stack.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(identity))
    key = stack.log_in("alice@example.com")
    public = identity.with_suffix(".pub").read_text()
    stack.call("POST", "/ssh-keys", key, {"name": "alice", "public_key": public})
    stack.call("POST", "/top-ups", key, {"amount_microusd": 100_000_000})
    return Renter(stack, key, identity)


def _rent(renter: Renter, at_once: int) -> list[float]:
    """Return of each rental the seconds until the marketplace says that its SSH door answers."""
    rentals: list[str] = []

    def rent() -> None:
        rental_id = renter.rent()
        rentals.append(rental_id)
        rental = renter.wait(rental_id, "active", "failed")
        assert rental["state"] == "active", rental

    took = _timed(rent, at_once)
    for rental_id in rentals:
        renter.end(rental_id)
    until(lambda: not renter.stack.containers(), "the containers are gone")
    return took


def _floor(at_once: int) -> list[float]:
    """Return of each container the seconds until Docker says that it runs."""
    command = ["docker", "run", "-d", "--memory", "256m", "--cpus", "1", image.NAME]
    names: list[str] = []

    def start() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        names.append(done.stdout.strip())

    took = _timed(start, at_once)
    subprocess.run(["docker", "rm", "-f", *names], capture_output=True, check=True, timeout=60)
    return took


def _timed(work: Callable[[], None], at_once: int) -> list[float]:
    """Do the work in as many threads at once, and return how long each took."""

    def one(_: int) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, range(at_once)))


def _summary(seconds: Sequence[float]) -> dict[str, int]:
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered) * 1000),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000),
        "worst": round(ordered[-1] * 1000),
    }


def _spread(values: Sequence[float], *, digits: int) -> dict[str, float]:
    return {
        "p50": round(statistics.median(values), digits),
        "best": round(min(values), digits),
        "worst": round(max(values), digits),
    }


if __name__ == "__main__":
    main()
