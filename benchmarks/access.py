"""This will measure the SSH door of a rental against sshd inside the image.

Run it as root on a quiet machine with a Docker Engine: ``python -m benchmarks.access``. Both
containers are of one image, with the same limits, cores, network and capabilities; they take turns
in every round. Files go from memory to memory, so that no disk is measured. The peer is the
distribution's sshd as the container's own command, as most images for rent have it.
"""

import argparse
import hashlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.access_peer import Peer, make_image
from protocol.agent import ObservedState
from tests.miner_agent.host import MIB, Host
from tests.miner_agent.market import LoopbackMarket

CIPHER = "aes128-gcm@openssh.com"
MEMORY = Path("/dev/shm")
LOGINS = 20
LATENCY_TRIES = 3
OPTIONS = """\
IdentityFile {key}
IdentitiesOnly yes
BatchMode yes
StrictHostKeyChecking yes
UserKnownHostsFile {known}
LogLevel ERROR
User root
HostName 127.0.0.1
Ciphers {cipher}
"""


class Took(NamedTuple):
    """What a piece of work took: on the clock, and of the container's processor time."""

    wall_s: float
    used_s: float


@dataclass(frozen=True, slots=True)
class Door:
    """One of the two servers, by its name in the client's configuration."""

    name: str
    config: Path
    source: Path
    #: processor seconds that the container has used
    used_s: Callable[[], float]

    @property
    def back(self) -> Path:
        """Return where a copy from it ends."""
        return self.source.with_name(f"back-{self.name}")

    def command(self, *words: str, program: str = "ssh") -> list[str]:
        """Return a command of the client."""
        return [program, "-F", str(self.config), *words]

    def copy_in(self) -> None:
        """Copy the file into the container's memory."""
        _run(self.command("-q", str(self.source), f"{self.name}:/dev/shm/there", program="scp"))

    def copy_out(self) -> None:
        """Copy it back from there."""
        _run(self.command("-q", f"{self.name}:/dev/shm/there", str(self.back), program="scp"))

    def log_in(self) -> None:
        """Log in, do nothing and leave."""
        _run(self.command(self.name, "true"))

    def log_in_often(self) -> None:
        """Log in twenty times at once."""
        command = self.command(self.name, "echo ok")
        logins = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(LOGINS)]
        said = [login.communicate(timeout=120)[0] for login in logins]
        assert said == [b"ok\n"] * LOGINS, f"{self.name}: {said}"

    def check(self) -> None:
        """Fail unless a copy in and a copy out bring every byte."""
        self.copy_in()
        self.copy_out()
        inside = _run(self.command(self.name, "sha256sum /dev/shm/there")).split()[0]
        digests = {inside, _digest(self.source), _digest(self.back)}
        assert len(digests) == 1, f"{self.name}: {digests}"


def main() -> None:
    """Print for each kind of work both times and the ratios: median, worst and spread."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--seconds", type=int, default=3600, help="begin no round after that")
    options = parser.parse_args()
    # What was made is removed also where somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="berth-", dir=MEMORY)))
        doors = _open(stack, folder, options.mebibytes)
        for door in doors:
            door.check()
        works: dict[str, Callable[[Door], Took]] = {
            "scp_in": lambda door: _took(door, door.copy_in),
            "scp_out": lambda door: _took(door, door.copy_out),
            "login": lambda door: min(_took(door, door.log_in) for _ in range(LATENCY_TRIES)),
            f"{LOGINS}_logins": lambda door: _took(door, door.log_in_often),
        }
        pairs: dict[str, list[tuple[Took, Took]]] = {name: [] for name in works}
        for number in range(options.rounds):
            if time.monotonic() - began > options.seconds:
                break
            # Who goes first takes turns too.
            order = doors if number % 2 else doors[::-1]
            for name, work in works.items():
                took = {door.name: work(door) for door in order}
                pairs[name].append((took["berth"], took["peer"]))
    _print(pairs, mebibytes=options.mebibytes)


def _open(stack: ExitStack, folder: Path, mebibytes: int) -> tuple[Door, Door]:
    """Start the rental and its peer and return the ways to both."""
    image = make_image()
    market = LoopbackMarket()
    stack.callback(market.close)
    host = Host(folder, market, image=image, network="10.216.0.0/24")
    host.enroll()
    host.start()
    stack.callback(host.command, "uninstall")
    stack.callback(host.stop)
    size = (3 * mebibytes + 512) * MIB
    desired = host.desire(ram_bytes=size, disk_bytes=256 * MIB, run_for_ms=3_600_000)
    seen = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    peer = Peer(folder / "peer", like=desired.placement_id, image=image, key=host.key)
    stack.callback(peer.remove)
    known, config, source = folder / "known_hosts", folder / "config", folder / "source"
    known.write_text(f"berth {seen.ssh_host_key}\npeer {peer.host_key}\n")
    lines = OPTIONS.format(key=host.key, known=known, cipher=CIPHER)
    for name, port in (("berth", seen.ssh_port), ("peer", peer.port)):
        lines += f"Host {name}\nPort {port}\nHostKeyAlias {name}\n"
    config.write_text(lines)
    with source.open("wb") as file:
        for _ in range(mebibytes):
            file.write(hashlib.shake_256(file.tell().to_bytes(8, "big")).digest(MIB))
    return (
        Door("berth", config, source, peer.rental_used_s),
        Door("peer", config, source, peer.used_s),
    )


def _took(door: Door, work: Callable[[], None]) -> Took:
    used_s, began = door.used_s(), time.perf_counter()
    work()
    return Took(time.perf_counter() - began, door.used_s() - used_s)


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _print(pairs: dict[str, list[tuple[Took, Took]]], *, mebibytes: int) -> None:
    """Print ratios of time: below 1, the rental's door is the faster one."""
    rounds = len(pairs["scp_in"])
    told: dict[str, object] = {"rounds": rounds, "mebibytes": mebibytes, "cipher": CIPHER}
    for name, taken in pairs.items():
        berth_s = statistics.median(berth.wall_s for berth, _ in taken)
        peer_s = statistics.median(peer.wall_s for _, peer in taken)
        line: dict[str, object] = {
            "berth_ms": round(berth_s * 1000),
            "peer_ms": round(peer_s * 1000),
            "time_ratio": _ratios([berth.wall_s / peer.wall_s for berth, peer in taken]),
            # Steadier on a busy machine: the container's own processor time.
            "processor_ratio": _ratios([berth.used_s / peer.used_s for berth, peer in taken]),
        }
        if name.startswith("scp"):
            line["throughput_ratio_p50"] = round(
                statistics.median(peer.wall_s / berth.wall_s for berth, peer in taken), 3
            )
            line["berth_mib_s"] = round(mebibytes / berth_s)
        told[name] = line
    print(json.dumps(told, indent=2))


def _ratios(ratios: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(statistics.median(ratios), 3),
        "best": round(min(ratios), 3),
        "worst": round(max(ratios), 3),
    }


if __name__ == "__main__":
    main()
