"""A Docker Engine beside the machine's, in a network of its own, which a test may end."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from scripts import mounts

START_S = 60
IN_OWN_NETWORK = 'ip link set lo up && exec dockerd "$@"'


class OwnEngine:
    """One dockerd; its files are in ``folder``, its sockets below /run for their short paths."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.run = Path(tempfile.mkdtemp(prefix="berth-test-", dir="/run"))
        # A mapped engine would put what others cannot pass beside it, under another name.
        self.run.chmod(0o711)
        self.address = f"unix://{self.run}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            *("unshare", "--net", "sh", "-c", IN_OWN_NETWORK, "sh"),
            *("--data-root", str(self.folder / "data"), "--exec-root", str(self.run / "exec")),
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
            self.process.wait(timeout=40)
            self.process = None

    def remove(self) -> None:
        """Leave nothing; a test may have ended the engine."""
        if self.process is None:
            self.start()
        self.stop()
        for used in (self.folder, self.run):
            mounts.unmount_below(used)
        shutil.rmtree(self.run)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "-H", self.address, *words], capture_output=True, text=True, check=False
        )

    def inside(self) -> list[str]:
        """Return the start of a command that shall run in the engine's network."""
        assert self.process is not None
        return ["nsenter", "--target", str(self.process.pid), "--net"]
