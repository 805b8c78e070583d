"""A Docker Engine of its own that finds NVIDIA's hook when it starts, as a GPU machine's does."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOOK = Path(__file__).with_name("hook.py")
#: the name that Docker looks for when it starts
NAME = "nvidia-container-runtime-hook"
START_S = 90


@contextmanager
def gpu_engine(folder: Path) -> Iterator[str]:
    """Yield the address of an engine that hands out the cards of ``folder / "cards"``."""
    hooks = folder / "hooks"
    hooks.mkdir()
    shutil.copy(HOOK, hooks / NAME)
    (hooks / NAME).chmod(0o755)
    (hooks / "cards").write_text((folder / "cards").read_text())
    address = f"unix://{folder}/docker.sock"
    # A bridge of its own: an engine without one removes the bridge of the other.
    bridge = f"gpu{os.getpid() % 1_000_000}"
    ip("link", "add", bridge, "type", "bridge")
    try:
        ip("address", "add", f"172.30.{os.getpid() % 250}.1/24", "dev", bridge)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    "dockerd",
                    f"--data-root={folder}/data",
                    f"--exec-root={folder}/exec",
                    f"--pidfile={folder}/pid",
                    f"--host={address}",
                    f"--bridge={bridge}",
                    "--iptables=false",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": f"{hooks}:{os.environ['PATH']}:/usr/sbin:/sbin"},
            )
        try:
            wait(address, process, folder / "log")
            yield address
        finally:
            process.terminate()
            process.wait(timeout=60)
    finally:
        ip("link", "delete", bridge)


def wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        asked = subprocess.run(["docker", "-H", address, "info"], capture_output=True, check=False)
        if asked.returncode == 0:
            return
        assert process.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, "Docker Engine did not start in time."
        time.sleep(0.1)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=60)
