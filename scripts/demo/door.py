"""This will use a rental as its renter does: with the system's own OpenSSH client."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.demo.processes import Processes

GIB = 1 << 30
COPY_BYTES = 8 << 20
MEMORY_FILES = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes"


class WrongMachine(Exception):
    """The rental is not what was rented."""


class Door:
    """One rental's SSH door, with its host key pinned."""

    def __init__(
        self, *, ssh: Mapping[str, Any], identity: Path, folder: Path, processes: Processes
    ) -> None:
        self._host, self._port, self._user = str(ssh["host"]), str(ssh["port"]), str(ssh["user"])
        self._processes = processes
        self._folder = folder
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(f"[{self._host}]:{self._port} {ssh['host_key']}\n")
        self._options = [
            "-F",
            "none",
            "-i",
            str(identity),
            *("-o", "IdentitiesOnly=yes"),
            *("-o", f"UserKnownHostsFile={known_hosts}"),
            *("-o", "StrictHostKeyChecking=yes"),
            *("-o", "BatchMode=yes"),
            *("-o", "ConnectTimeout=10"),
        ]

    def banner(self) -> str | None:
        """Return the SSH banner, or None where nobody answers yet."""
        try:
            with socket.create_connection((self._host, int(self._port)), timeout=5) as connection:
                first = connection.recv(255).decode(errors="replace").strip()
        except OSError:
            return None
        return first if first.startswith("SSH-") else None

    def run(self, command: str) -> str:
        """Return what a command inside the rental writes."""
        target = f"{self._user}@{self._host}"
        written = self._processes.run("ssh", *self._options, "-p", self._port, target, command)
        return written.strip()

    def check_limits(self, *, disk: bool) -> list[str]:
        """Look from inside whether one CPU, 1 GiB of memory and 2 GiB of disk really hold.

        ``disk``: the agent says that it can limit disks here.

        :raises WrongMachine: when one of them does not.
        """
        cpus = int(self.run("nproc"))
        if cpus != 1:
            raise WrongMachine(f"nproc says {cpus} instead of 1")
        memory_bytes = int(self.run(f"cat {MEMORY_FILES} 2>/dev/null | head -n 1"))
        if memory_bytes != GIB:
            raise WrongMachine(f"the memory limit is {memory_bytes} bytes instead of {GIB}")
        return [
            f"nproc: {cpus}",
            f"memory limit: {memory_bytes} bytes",
            self._check_disk() if disk else "disk: not limited here, as the agent said",
        ]

    def _check_disk(self) -> str:
        # Allocating is as binding as writing, and does not wait for a slow disk.
        room = "fallocate -l {size} /root/full 2>&1 && echo fits; rm -f /root/full"
        if not self.run(room.format(size=1700 << 20)).endswith("fits"):
            raise WrongMachine("1700 MiB do not fit on a disk of 2 GiB")
        if self.run(room.format(size=2 * GIB + 1)).endswith("fits"):
            raise WrongMachine(f"more than {2 * GIB} bytes fit on a disk of 2 GiB")
        return "disk: 1700 MiB fit, one byte more than 2 GiB does not"

    def copy_in_and_out(self) -> str:
        """Copy a file in and out again and compare it.

        :raises WrongMachine: when another file came back.
        """
        sent, back = self._folder / "sent.bin", self._folder / "back.bin"
        sent.write_bytes(os.urandom(COPY_BYTES))
        remote = f"{self._user}@{self._host}:/root/copy.bin"
        self._processes.run("scp", *self._options, "-P", self._port, str(sent), remote)
        self._processes.run("scp", *self._options, "-P", self._port, remote, str(back))
        if sent.read_bytes() != back.read_bytes():
            raise WrongMachine("the file that came back differs from the one sent")
        return f"{COPY_BYTES >> 20} MiB in and out, equal byte by byte"
