"""A Docker Engine beside the machine's, in a network of its own, which a test may end or kill."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from scripts import mounts

START_S = 60
NETWORK = "ip link set lo up && echo up && exec sleep infinity"
#: what a kernel that starts knows of networks
FORGET = """
for tables in iptables ip6tables; do
    for table in filter nat mangle raw; do $tables -t $table -F; $tables -t $table -X; done
done
ip link show type bridge | sed -n 's/^[0-9]*: \\([^:]*\\):.*/\\1/p' | xargs -r -n1 ip link delete
"""


class OwnEngine:
    """One dockerd; its files are in ``folder``, its sockets below /run for their short paths."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.run = Path(tempfile.mkdtemp(prefix="berth-test-", dir="/run"))
        # A mapped engine would put what others cannot pass beside it, under another name.
        self.run.chmod(0o711)
        self.address = f"unix://{self.run}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        #: holds the network, which outlives the engine as a machine's does
        self.network = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", NETWORK], stdout=subprocess.PIPE
        )
        assert self.network.stdout is not None
        assert self.network.stdout.readline() == b"up\n"

    def start(self) -> None:
        command = [
            *(*self.inside(), "dockerd", "--data-root", str(self.folder / "data")),
            *("--exec-root", str(self.run / "exec")),
            *("--pidfile", str(self.run / "pid"), "--host", self.address, *self.options),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while self.ask("info").returncode != 0:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Docker Engine did not start in time."
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None

    def kill(self) -> None:
        """End it without a word; what it runs is left alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=60)
        self.process = None
        # It dies with its engine, but not at once, and the next engine would wait for this one.
        containerd = Path("/proc", (self.run / "exec/containerd/containerd.pid").read_text())
        deadline = time.monotonic() + START_S
        while containerd.exists():
            assert time.monotonic() < deadline, "containerd outlived its engine."
            time.sleep(0.02)

    def cut_power(self) -> None:
        """End it with everything that it runs, its mounts and its network's settings."""
        self.kill()
        self._end_containers()
        subprocess.run([*self.inside(), "sh", "-c", FORGET], check=True, capture_output=True)
        for used in (self.folder / "data", self.run):
            mounts.unmount_below(used)
        shutil.rmtree(self.run / "exec", ignore_errors=True)
        (self.run / "pid").unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave nothing; a test may have ended the engine."""
        try:
            if self.process is None:
                self.start()
            self.stop()
        finally:
            self._end_containers()
            self._leave()

    def _leave(self) -> None:
        self.network.kill()
        self.network.wait()
        for used in (self.folder, self.run):
            mounts.unmount_below(used)
        shutil.rmtree(self.run)

    def _end_containers(self) -> None:
        """Kill whatever keeps a container, first, for it would tidy up, and then its processes."""
        commands = Path("/proc").glob("[0-9]*/cmdline")
        keepers = [path.parent for path in commands if self._keeps(path)]
        children = [
            number
            for keeper in keepers
            for path in keeper.glob("task/*/children")
            for number in path.read_text().split()
        ]
        for number in (*(keeper.name for keeper in keepers), *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)

    def _keeps(self, command: Path) -> bool:
        # Any process may end between two looks.
        with contextlib.suppress(OSError):
            return f"-address\0{self.run}/".encode() in command.read_bytes()
        return False

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "-H", self.address, *words], capture_output=True, text=True, check=False
        )

    def inside(self) -> list[str]:
        """Return the start of a command that shall run in the engine's network."""
        return ["nsenter", "--target", str(self.network.pid), "--net"]
