"""A machine to install on: an SSH server on the loopback, and a folder that stands for ``/``."""

import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.miner_agent.host import make_key
from tests.ports import free_port

SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Server:
    """An OpenSSH server that lets one key in as root."""

    port: int
    identity: Path
    fingerprint: str
    host_key: str


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("sshd")
    port, host_key, identity = free_port(), folder / "host_key", folder / "identity"
    make_key(host_key)
    make_key(identity)
    (folder / "authorized_keys").write_text(identity.with_suffix(".pub").read_text())
    settings = folder / "sshd_config"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nUsePAM no\n"
        "PermitRootLogin prohibit-password\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(settings)], stderr=subprocess.PIPE)
    assert process.stderr is not None
    # It says so once it listens.
    assert b"listening" in process.stderr.readline()
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(host_key)], capture_output=True, text=True, check=True
    )
    public = " ".join(host_key.with_suffix(".pub").read_text().split()[:2])
    yield Server(port, identity, shown.stdout.split()[1], public)
    process.terminate()
    process.wait(timeout=60)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that stands for the machine's own ``/``."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def systemctl(tmp_path: Path) -> Path:
    """What stands for systemd: it writes down what it was asked, and refuses what it is told to."""
    program = tmp_path / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n'
        f'! grep -qx "$*" {tmp_path}/refused 2>/dev/null || {{ echo "not $*"; exit 1; }}\n'
    )
    program.chmod(0o755)
    return program


def wheel(folder: Path, *, version: str = "1.0", program: str = "raise SystemExit(0)") -> Path:
    """Return a package of one command that needs nothing."""
    folder.mkdir(exist_ok=True)
    path = folder / f"berth-{version}-py3-none-any.whl"
    info = f"berth-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("planted.py", f"def main():\n    {program}\n")
        metadata = (
            f"Metadata-Version: 2.1\nName: berth\nVersion: {version}\nProvides-Extra: agent\n"
        )
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{info}/entry_points.txt", "[console_scripts]\nberth-agent = planted:main\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path
