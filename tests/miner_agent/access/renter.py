"""A renter with the system's own OpenSSH, and a rental to use it on."""

import hashlib
import random
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from protocol.agent import DesiredPlacement, ObservedPlacement
from tests.miner_agent.access.places import PORT, SOCKET, Place
from tests.miner_agent.host import Host, run_once_open

#: nobody waits longer for an answer; a test that meets it fails
PATIENCE_S = 60
SETTINGS = """\
IdentityFile {key}
IdentitiesOnly yes
BatchMode yes
StrictHostKeyChecking yes
UserKnownHostsFile {known}
HostKeyAlias door
LogLevel ERROR
ConnectTimeout 10
ExitOnForwardFailure yes
# The default costs twice as much processor time.
KexAlgorithms curve25519-sha256
User root
HostName 127.0.0.1

Host door
Port {port}

# The rental's own door, as it is seen from inside.
Host inside
Port 22
ProxyJump door
"""

Finished = subprocess.CompletedProcess[bytes]


class Renter:
    """One rental and the ways to it."""

    def __init__(
        self,
        folder: Path,
        host: Host,
        place: Place,
        desired: DesiredPlacement,
        seen: ObservedPlacement,
    ) -> None:
        self.folder, self.host, self.place, self.desired, self.seen = (
            folder,
            host,
            place,
            desired,
            seen,
        )
        self.control = folder / "control"
        self.config = folder / "config"
        known = folder / "known_hosts"
        known.write_text(f"door {seen.ssh_host_key}\n")
        self.config.write_text(SETTINGS.format(key=host.key, known=known, port=seen.ssh_port))

    def ssh(self, *words: str, program: str = "ssh") -> list[str]:
        """Return a command of the renter's; it makes a connection of its own."""
        return [program, "-F", str(self.config), *words]

    def do(self, command: Sequence[str], data: bytes = b"") -> Finished:
        """Run a command of the renter's to its end."""
        return subprocess.run(
            command, input=data, capture_output=True, timeout=PATIENCE_S, check=False
        )

    def run(self, line: str, *, user: str = "root") -> str:
        """Run a line inside, on the connection that is kept for it, and return what it printed."""
        shared = ["-S", str(self.control)] if user == "root" else ["-l", user]
        finished = self.do(self.ssh(*shared, "door", line))
        assert finished.returncode == 0, finished
        return finished.stdout.decode().strip()

    def wait_for_command(self) -> None:
        """Return once the image's own command answers: the door opens beside it."""
        shared = self.ssh("-S", str(self.control), "door")
        deadline = time.monotonic() + PATIENCE_S
        for to in (f"tcp {PORT}", f"unix {SOCKET}"):
            while (done := self.do([*shared, f"/probe call-{to}"])).returncode != 0:
                assert time.monotonic() < deadline, done

    def forward(self, *words: str) -> str:
        """Add a forwarding to the kept connection and return what ssh printed."""
        finished = self.do(self.ssh("-S", str(self.control), "-O", "forward", *words, "door"))
        assert finished.returncode == 0, finished
        return finished.stdout.decode().strip()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Keep one connection open meanwhile."""
        opened = run_once_open(self.ssh("-f", "-N", "-M", "-S", str(self.control), "door"))
        assert opened.returncode == 0, opened
        try:
            yield
        finally:
            self.do(self.ssh("-S", str(self.control), "-O", "exit", "door"))


class Echo(socketserver.ThreadingTCPServer):
    """A server on this machine's loopback that sends back what comes; it knows who came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.visits = 0
        super().__init__(("127.0.0.1", 0), _Answer)
        self.port = int(self.server_address[1])
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Echo)
        self.server.visits += 1
        while got := self.request.recv(4096):
            self.request.sendall(got)


def noise(size: int) -> bytes:
    """Return bytes of every value, always the same ones."""
    return random.Random(size).randbytes(size)


def digest(path: Path) -> str:
    """Return what names a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
