"""A machine that has nothing of Berth: Debian's files in a container, and a stand-in of systemd."""

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from miner_agent.packaging.steps import PACKAGES
from tests.architecture.sources import TREE
from tests.miner_agent import debian_slice
from tests.miner_agent.images import add_file

NAME = "berth-test-bare-debian:12"
DEBIAN_PYTHON = "/usr/bin/python3"
#: what a Debian of the smallest kind has, curl, and what else Python's venv is in
HAS = (
    *("apt", "bash", "ca-certificates", "coreutils", "curl", "dash", "dpkg", "findutils", "grep"),
    *("gzip", "procps", "python3", "python3-venv", "sed", "tar", "util-linux"),
)
#: Stands for systemd: notes what it is asked, and every command line that others could see then.
SYSTEMCTL = """#!/bin/sh
echo "$*" >> /asked
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >> /seen
case "$1" in
is-active) [ -e /active ] ;;
restart) touch /active ;;
stop) rm -f /active ;;
esac
"""
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    # The agent looks at its own file system for room, and here that is the engine's.
    "etc/berth-agent.env": f"BERTH_AGENT_DISK_BYTES={8 << 30}\n",
    # Larger packages are said to be there: fetching them is no part of this.
    "var/lib/dpkg/status": "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"
        "Maintainer: x <x@example.com>\nDescription: x\n\n"
        for name in PACKAGES
    ),
}


@dataclass(frozen=True)
class BareMachine:
    """A container that runs nothing by itself, in this machine's own network."""

    name: str

    def begin(self, line: str) -> "subprocess.Popen[str]":
        """Begin what root's shell is given to read there."""
        process = subprocess.Popen(
            ["docker", "exec", "-i", self.name, "/bin/sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, line: str) -> tuple[int, str]:
        """Return how the line ended and what it said."""
        process = self.begin(line)
        said, _ = process.communicate(timeout=600)
        return process.returncode, said

    def cut_the_power(self) -> None:
        """End all that runs there at once, and start it anew."""
        for verb in ("kill", "start"):
            subprocess.run(["docker", verb, self.name], capture_output=True, check=True)


@contextmanager
def bare_machine(name: str, wheels: Path) -> Iterator[BareMachine]:
    """Lend one whose pip finds these wheels and nothing else."""
    subprocess.run(
        ["docker", "import", "-", NAME], input=_content(), capture_output=True, check=True
    )
    mounted = {
        "/var/run/docker.sock": "/var/run/docker.sock",
        str(shutil.which("docker")): "/usr/bin/docker",
        str(wheels): "/wheels",
    }
    words = [word for here, there in mounted.items() for word in ("-v", f"{here}:{there}:ro")]
    # Root there has to be whom Docker's socket lets in.
    words += ["--network", "host", "--userns", "host", "--init"]
    told = ("PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels", "PIP_NO_COMPILE=1")
    words += [word for one in told for word in ("-e", one)]
    command = ["docker", "run", "-d", "--name", name, *words, NAME, "/usr/bin/sleep", "infinity"]
    try:
        subprocess.run(command, capture_output=True, check=True)
        yield BareMachine(name)
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)


def fetch_wheels(folder: Path) -> Path:
    """Have this machine's own pip bring what the agent needs, as Debian's Python would take it."""
    told = subprocess.run(
        [DEBIAN_PYTHON, "--version"], capture_output=True, text=True, check=True
    ).stdout
    version = re.search(r"\d+\.\d+", told)
    assert version is not None
    pip = [str(TREE / ".venv" / "bin" / "python"), "-m", "pip", "download", "--quiet"]
    of = ["--python-version", version[0], "--only-binary", ":all:", "--require-hashes"]
    pins = ["--requirement", str(TREE / "requirements" / "agent.txt")]
    subprocess.run([*pip, *of, *pins, "--dest", str(folder)], check=True)
    return folder


def _content() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        debian_slice.add(archive, *HAS)
        there = set(archive.getnames())
        for path, mode in (("tmp", 0o1777), ("root", 0o700), ("run", 0o755), ("var/tmp", 0o1777)):
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            if path not in there:
                archive.addfile(entry)
        for path, text in FILES.items():
            add_file(archive, path, text.encode())
        add_file(archive, "usr/bin/systemctl", SYSTEMCTL.encode(), mode=0o755)
    return buffer.getvalue()
