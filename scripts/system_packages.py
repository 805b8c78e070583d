"""This will name the Debian packages that Berth uses, why, and how to see that one is there."""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SystemPackage:
    """One Debian package; another source of the same thing is as good."""

    name: str
    purpose: str
    is_there: Callable[[], bool]


def program(*names: str) -> Callable[[], bool]:
    """Return a test for one of the programs, on the path or where only root's path looks."""
    return lambda: any(find_program(name) is not None for name in names)


def find_program(name: str) -> str | None:
    """Return the full path of a program, or None."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def file(pattern: str) -> Callable[[], bool]:
    """Return a test for a file below ``/``."""
    return lambda: any(Path("/").glob(pattern))


def has_docker_engine() -> bool:
    """Say whether an engine can be started here or already answers."""
    return find_program("dockerd") is not None or Path("/var/run/docker.sock").is_socket()


def has_static_busybox() -> bool:
    """Say whether busybox runs in an image that holds nothing else."""
    path = find_program("busybox")
    return path is not None and b"/ld-linux" not in Path(path).read_bytes()[:4096]


PACKAGES = (
    SystemPackage("docker.io", "runs the renters' containers", has_docker_engine),
    SystemPackage("iptables", "keeps containers off the host's network", program("iptables")),
    SystemPackage("postgresql", "tests of row locks", file("usr/lib/postgresql/*/bin/initdb")),
    SystemPackage("redis-server", "tests with a real Celery broker", program("redis-server")),
    SystemPackage("openssh-server", "the SSH door of every rental", program("sshd")),
    SystemPackage("openssh-client", "the renter's own ssh and scp", program("ssh")),
    SystemPackage("rsync", "copies in and out of rentals", program("rsync")),
    SystemPackage("busybox-static", "the demo's image", has_static_busybox),
    SystemPackage("patchelf", "relocates the access kit", program("patchelf")),
    SystemPackage("e2fsprogs", "disks of a fixed size", program("mkfs.ext4")),
    SystemPackage("gcc", "compiles a rental's first process", program("gcc")),
    SystemPackage("g++", "tests of the GPU proof without a GPU", program("g++")),
    SystemPackage("libc6-dev", "compiles a rental's first process", file("usr/include/stdio.h")),
    SystemPackage("musl-tools", "compiles a rental's first process", program("musl-gcc")),
    SystemPackage("chromium", "tests in a real browser", program("chromium")),
    SystemPackage("procps", "tests that look at processes", program("ps")),
    SystemPackage("iproute2", "tests that look at networks", program("ip")),
    SystemPackage(
        "python3-venv", "makes .venv", lambda: importlib.util.find_spec("ensurepip") is not None
    ),
    SystemPackage(
        "fonts-dejavu-core",
        "text in the browser tests",
        file("usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    ),
)


def missing_packages() -> tuple[str, ...]:
    """Return the names of the packages that have to be installed, in the table's order."""
    return tuple(package.name for package in PACKAGES if not package.is_there())
