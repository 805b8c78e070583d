"""This will write what makes a rental's SSH door its own: host key, renters' keys, settings."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from miner_agent.domain.container_spec import HOST_NAME, KEYS_INSIDE, KIT_INSIDE
from miner_agent.keys import make_private_key, read_private_key, write_whole
from protocol.signing import openssh_public_key, public_key_of
from protocol.workload import DOOR_PORT

SETTINGS = f"""\
Port {DOOR_PORT}
HostKey {KEYS_INSIDE}/hostkey
AuthorizedKeysFile {KEYS_INSIDE}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
UsePAM no
StrictModes no
UseDNS no
PrintMotd no
PidFile none
LoginGraceTime 30
MaxStartups 100:30:200
MaxSessions 128
ClientAliveInterval 60
Subsystem sftp {KIT_INSIDE}/sftp-server
"""
#: what stands in for the files that Docker would lend from the host's disk; names inside are
#: answered by Docker itself
HOST_FILES = {
    "hostname": f"{HOST_NAME}\n",
    # As Debian does it: the name's own line makes it the canonical one.
    "hosts": (
        f"127.0.0.1\tlocalhost\n127.0.1.1\t{HOST_NAME}\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    ),
    "resolv.conf": "nameserver 127.0.0.11\noptions ndots:0\n",
}


class Doors:
    """One directory per placement, mounted read-only into its container."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, placement_id: UUID) -> Path:
        """Return the directory of one placement."""
        return self._directory / str(placement_id)

    def write(
        self, placement_id: UUID, *, keys: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Write the door's files, with a new host key where it has none."""
        path = self.path(placement_id)
        path.mkdir(mode=0o755, exist_ok=True)
        self.host_key(placement_id)
        for name, content in HOST_FILES.items():
            write_whole(path / name, content, 0o644)
        write_whole(path / "sshd_config", SETTINGS + set_environment_line(environment), 0o644)
        self.rekey(placement_id, keys)

    def host_key(self, placement_id: UUID) -> str:
        """Return the door's host key as ``ssh-ed25519 AAAA...``, making it at the first call."""
        path = self.path(placement_id) / "hostkey"
        key = read_private_key(path) if path.exists() else make_private_key(path)
        return openssh_public_key(public_key_of(key))

    def rekey(self, placement_id: UUID, keys: Sequence[str]) -> None:
        """Change who may log in from now on; open sessions stay."""
        content = "".join(f"{' '.join(key.split())}\n" for key in keys)
        write_whole(self.path(placement_id) / "authorized_keys", content, 0o644)

    def remove(self, placement_id: UUID) -> None:
        """Remove the door's files; missing ones are fine."""
        shutil.rmtree(self.path(placement_id), ignore_errors=True)

    def traces(self) -> frozenset[UUID]:
        """Return the placements that have a directory here."""
        return frozenset(UUID(path.name) for path in self._directory.iterdir() if path.is_dir())


def set_environment_line(environment: Mapping[str, str]) -> str:
    """Return the one SetEnv line: sshd takes only the first, so it holds every variable."""
    quoted = (_quoted(f"{name}={value}") for name, value in sorted(environment.items()))
    return f"SetEnv {' '.join(quoted)}\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
