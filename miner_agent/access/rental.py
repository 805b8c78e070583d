"""This will write what makes a rental's SSH door its own: host key, renters' keys, its sessions."""

import json
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from miner_agent.domain.container_spec import HOST_NAME
from miner_agent.domain.owned import owner
from miner_agent.domain.root_inside import UNMAPPED, Ids
from miner_agent.keys import make_private_key, read_private_key, write_whole
from protocol.agent import Notice
from protocol.signing import openssh_public_key, public_key_of

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
HOST_KEY = "hostkey"
#: what init's link at /run/berth/notice leads to
NOTICE = "notice"
#: everybody inside may read these: whoever logs in gets what they say
SHARED_MODE = 0o644


class Doors:
    """One directory per placement, mounted read-only into its container."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, placement_id: UUID) -> Path:
        """Return the directory of one placement."""
        return self._directory / str(placement_id)

    def write(
        self,
        placement_id: UUID,
        *,
        keys: Sequence[str],
        environment: Mapping[str, str],
        folder: str = "",
        root_inside: Ids = UNMAPPED,
    ) -> None:
        """Write the door's files, with a new host key where it has none.

        ``environment`` and ``folder`` are what a session has and where it starts; an empty folder
        is the home of whoever logs in.

        :raises PermissionError: when only root could give the host key to ``root_inside``.
        """
        self.write_files(placement_id)
        self.host_key(placement_id)
        # Only its owner may read it; everything else is open to all inside.
        if root_inside != UNMAPPED:
            os.chown(self.path(placement_id) / HOST_KEY, *root_inside)
        # PATH again, for the shells that read /etc/profile.
        path_script = f"export PATH={shlex.quote(environment.get('PATH', ''))}\n"
        files = {
            "environment": "".join(f"{name}={value}\0" for name, value in environment.items()),
            "folder": folder,
            "path.sh": path_script if "PATH" in environment else "",
        }
        for name, content in files.items():
            self._write(placement_id, name, content)
        self.rekey(placement_id, keys)

    def write_files(self, placement_id: UUID) -> None:
        """Write only what stands in for the host's own files, of what nobody logs in to."""
        self.path(placement_id).mkdir(mode=0o755, exist_ok=True)
        for name, content in HOST_FILES.items():
            self._write(placement_id, name, content)

    def host_key(self, placement_id: UUID) -> str:
        """Return the door's host key as ``ssh-ed25519 AAAA...``, making it at the first call."""
        path = self.path(placement_id) / HOST_KEY
        key = read_private_key(path) if path.exists() else make_private_key(path)
        return openssh_public_key(public_key_of(key))

    def rekey(self, placement_id: UUID, keys: Sequence[str]) -> None:
        """Change who may log in from now on; open sessions stay."""
        content = "".join(f"{' '.join(key.split())}\n" for key in keys)
        self._write(placement_id, "authorized_keys", content)

    def notify(self, placement_id: UUID, notice: Notice | None) -> None:
        """Let what runs read why it stops soon and when; None: that it does not."""
        if notice is None:
            (self.path(placement_id) / NOTICE).unlink(missing_ok=True)
            return
        at = datetime.fromtimestamp(notice.stops_at_ms // 1000, UTC)
        said = {"reason": notice.reason, "stops_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        self._write(placement_id, NOTICE, f"{json.dumps(said)}\n")

    def remove(self, placement_id: UUID) -> None:
        """Remove the door's files; missing ones are fine."""
        shutil.rmtree(self.path(placement_id), ignore_errors=True)

    def traces(self) -> frozenset[UUID]:
        """Return the placements that have a directory here."""
        folders = (path for path in self._directory.iterdir() if path.is_dir())
        return frozenset(one for path in folders if (one := owner(path.name)) is not None)

    def _write(self, placement_id: UUID, name: str, content: str) -> None:
        write_whole(self.path(placement_id) / name, content, SHARED_MODE)
