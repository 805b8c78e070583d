"""This will measure the time from the rent click to the SSH banner against Docker's own start.

Run it as root on a machine with a Docker Engine: ``python -m benchmarks.allocation --rounds 20``.
The floor is ``docker run -d`` of the same image, until the command returns, interleaved round by
round in the same run.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.demo import image
from tests.journeys.conftest import Renter
from tests.journeys.stack import Stack, until


def main() -> None:
    """Print medians, 95th percentiles and the median of the per-round ratios as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    image.make()
    with tempfile.TemporaryDirectory(prefix="berth-benchmark-") as folder:
        stack = Stack(Path(folder), network="10.215.0.0/24")
        try:
            stack.open()
            renter = _renter(stack)
            _rent(renter)
            pairs = [(_rent(renter), _floor()) for _ in range(rounds)]
        finally:
            stack.close()
    rents, floors = zip(*pairs, strict=True)
    print(
        json.dumps(
            {
                "rounds": rounds,
                "rent_to_banner_ms": _summary(rents),
                "docker_run_ms": _summary(floors),
                "ratio_p50": round(statistics.median(rent / floor for rent, floor in pairs), 2),
                "beyond_floor_p50_ms": round(
                    statistics.median((rent - floor) * 1000 for rent, floor in pairs)
                ),
            },
            indent=2,
        )
    )


def _renter(stack: Stack) -> Renter:
    identity = stack.folder / "alice"
    stack.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(identity))
    key = stack.log_in("alice@example.com")
    public = identity.with_suffix(".pub").read_text()
    stack.call("POST", "/ssh-keys", key, {"name": "alice", "public_key": public})
    stack.call("POST", "/top-ups", key, {"amount_microusd": 100_000_000})
    return Renter(stack, key, identity)


def _rent(renter: Renter) -> float:
    """Return the seconds until the marketplace says that the SSH door answers."""
    began = time.perf_counter()
    rental_id = renter.rent()
    renter.wait(rental_id, "active", "failed")
    took = time.perf_counter() - began
    assert renter.see(rental_id)["state"] == "active"
    renter.stop(rental_id)
    until(lambda: not renter.stack.containers(), "the container is gone")
    return took


def _floor() -> float:
    began = time.perf_counter()
    command = ["docker", "run", "-d", "--memory", "256m", "--cpus", "1", image.NAME]
    started = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    took = time.perf_counter() - began
    subprocess.run(
        ["docker", "rm", "-f", started.stdout.strip()], capture_output=True, check=True, timeout=60
    )
    return took


def _summary(seconds: Sequence[float]) -> dict[str, int]:
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered) * 1000),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000),
    }


if __name__ == "__main__":
    main()
