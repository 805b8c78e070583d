"""The agent of a test as a real process, and the system's own OpenSSH client."""

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

from protocol.agent import DesiredPlacement, ObservedPlacement, Want
from protocol.hardware import Resources
from protocol.workload import PlacementKind, Workload
from tests.miner_agent.market import TOKEN, LoopbackMarket
from tests.nursery import Life, Nursery
from tests.ports import free_ports

REPOSITORY = Path(__file__).parents[2]
MIB = 1 << 20
#: how OpenSSH ends when nobody logged in, and what it says where it was hung up on
NO_LOG_IN, HUNG_UP = 255, "kex_exchange_identification: "
DOOR_S = 60


class Host:
    """One machine: a state directory, a range of ports and of networks, an agent process."""

    def __init__(self, home: Path, market: LoopbackMarket, *, image: str, network: str) -> None:
        self.home = home
        self.market = market
        self.image = image
        self.key = home / "renter_key"
        first = free_ports(12)
        self.control_port, self.metrics_port = first, first + 11
        self.environment = {
            **os.environ,
            "BERTH_AGENT_HOME": str(home / "agent"),
            "BERTH_MARKETPLACE_URL": market.url,
            "BERTH_AGENT_ADDRESS": "127.0.0.1",
            "BERTH_AGENT_CONTROL_PORT": str(first),
            "BERTH_AGENT_PORTS": f"{first + 1}-{first + 10}",
            "BERTH_AGENT_DISK_BYTES": str(4096 * MIB),
            "BERTH_AGENT_NETWORK": network,
            "BERTH_AGENT_METRICS": f"127.0.0.1:{first + 11}",
            # The tests' registry is on the loopback, where only allowed images are asked for.
            "BERTH_AGENT_IMAGES": "berth-test-* 127.0.0.1:*/open/* 127.0.0.1:*/broken/*",
            # An engine that somebody else runs here may map no users.
            "BERTH_AGENT_ALLOW_UNISOLATED": "0" if maps_users() else "1",
        }
        self.process: subprocess.Popen[bytes] | Life | None = None
        #: what its programs and its doors' clients are started with, to be in another network
        self.inside: list[str] = []
        make_key(self.key)

    @property
    def logs(self) -> list[Path]:
        return [self.home / "agent.log"]

    def command(self, *arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
        if self._may_fork:
            words, environment = ("-m", "miner_agent", *arguments), self.environment
            return nursery().run(words, environment=environment, told=told, within_s=60)
        return subprocess.run(
            [*self.inside, sys.executable, "-m", "miner_agent", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            input=told,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def _may_fork(self) -> bool:
        """Say whether a fork would be the same: the loader reads its variables at an exec alone."""
        return not self.inside and "LD_LIBRARY_PATH" not in self.environment

    def enroll(self) -> None:
        result = self.command("enroll", told=TOKEN)
        assert result.returncode == 0, result.stderr

    def start(self, *arguments: str, program: str = "") -> None:
        """Start the agent, or what the program's text makes of it."""
        what = ["-c", program] if program else ["-m", "miner_agent", "run", *arguments]
        with (self.home / "agent.log").open("ab") as log:
            if not program and self._may_fork:
                self.process = nursery().begin(
                    what, environment=self.environment, writes=log, complains=log
                )
                return
            self.process = subprocess.Popen(
                [*self.inside, sys.executable, *what],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process = None
        return status

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def desire(self, **changes: object) -> DesiredPlacement:
        """Ask for 1 CPU, 128 MiB and 64 MiB of disk and return what was asked."""
        wanted: dict[str, object] = {
            "image": self.image,
            "environment": {},
            "cpus": 1,
            "ram_bytes": 128 * MIB,
            "disk_bytes": 64 * MIB,
            "kind": PlacementKind.RENTAL,
            "run_for_ms": 600_000,
            "gpu_uuids": (),
            "command": (),
            "ports": (),
            "http_port": None,
            "runtime": "",
            "volumes": (),
            "inputs": (),
            "outputs_bytes_max": 0,
            "registry_login": None,
        }
        wanted.update(changes)
        placement = DesiredPlacement(
            placement_id=uuid4(),
            want=Want.RUN,
            workload=Workload(
                kind=wanted["kind"],
                image=str(wanted["image"]),
                environment=wanted["environment"],
                command=wanted["command"],
                ports=wanted["ports"],
                http_port=wanted["http_port"],
                runtime=wanted["runtime"],
                volumes=wanted["volumes"],
                inputs=wanted["inputs"],
                outputs_bytes_max=wanted["outputs_bytes_max"],
                resources=Resources.of(
                    cpus=int(str(wanted["cpus"])),
                    ram_bytes=int(str(wanted["ram_bytes"])),
                    disk_bytes=int(str(wanted["disk_bytes"])),
                    gpus=len(wanted["gpu_uuids"]),
                ),
            ),
            gpu_uuids=wanted["gpu_uuids"],
            authorized_keys=(self.key.with_suffix(".pub").read_text().strip(),),
            run_for_ms=int(str(wanted["run_for_ms"])),
            registry_login=wanted["registry_login"],
        )
        self.market.want(placement)
        return placement

    def client(self, seen: ObservedPlacement, *, program: str = "ssh") -> list[str]:
        """Return the start of an OpenSSH command with the host key pinned."""
        known = self.home / "known_hosts"
        known.write_text(f"[127.0.0.1]:{seen.ssh_port} {seen.ssh_host_key}\n")
        options = ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "BatchMode=yes"]
        options += ["LogLevel=ERROR", "IdentitiesOnly=yes", "ConnectTimeout=10"]
        flags = [flag for option in options for flag in ("-o", option)]
        port = "-P" if program == "scp" else "-p"
        return [program, "-F", "/dev/null", "-i", str(self.key), *flags, port, str(seen.ssh_port)]

    def ssh(self, seen: ObservedPlacement, command: str) -> subprocess.CompletedProcess[str]:
        words = [*self.inside, *self.client(seen), "root@127.0.0.1", command]
        return run_once_open(words)


def run_once_open(client: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run an OpenSSH client to its end, anew as long as the container's door does not listen.

    Docker listens as soon as a container starts, and hangs up until its door listens too.
    """
    deadline = time.monotonic() + DOOR_S
    while True:
        done = subprocess.run(client, capture_output=True, text=True, timeout=60, check=False)
        if not (done.returncode == NO_LOG_IN and HUNG_UP in done.stderr):
            return done
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.05)


@cache
def nursery() -> Nursery:
    """Return the one process that has loaded an agent, for all tests."""
    made = Nursery("miner_agent.cli")
    atexit.register(made.close)
    return made


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def maps_users() -> bool:
    """Say whether root inside has no rights outside; False also where no engine answers."""
    asked = subprocess.run(
        ["docker", "info", "-f", "{{.SecurityOptions}}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "name=userns" in asked.stdout


def docker(*arguments: str) -> str:
    result = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return result.stdout.strip()


def is_left(placement_id: UUID, home: Path) -> list[str]:
    """Return everything of a placement that is still on this machine."""
    containers = docker("ps", "-aq", "--filter", f"name=berth-{placement_id}").split()
    mounts = [
        line
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if str(placement_id) in line
    ]
    loops = subprocess.run(["losetup", "-l", "-n"], capture_output=True, text=True, check=True)
    loops_left = [line for line in loops.stdout.splitlines() if str(placement_id) in line]
    files = [str(path) for path in home.rglob(f"*{placement_id}*")]
    return containers + mounts + loops_left + files
