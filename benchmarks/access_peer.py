"""This will run the distribution's sshd as a container's own command, made like a given rental."""

import io
import json
import os
import subprocess
import tarfile
import time
from pathlib import Path
from uuid import UUID

import docker

from tests.miner_agent import debian_slice, images
from tests.miner_agent.host import make_key
from tests.ports import free_port

IMAGE = "berth-test-sshd:benchmark"
PACKAGES = ("bash", "dash", "coreutils", "base-files", "libc-bin", "openssh-server")
PASSWD = "root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
#: the limits are the rental's, so that twenty can log in at once
SETTINGS = """\
HostKey /keys/host_key
AuthorizedKeysFile /keys/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
StrictModes no
PidFile none
MaxStartups 100:30:200
MaxSessions 128
Subsystem sftp /usr/lib/openssh/sftp-server
"""
START_S_MAX = 20


def make_image() -> str:
    """Make the image of both containers: Debian's packages with sshd, and a command that waits."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        debian_slice.add(archive, *PACKAGES)
        for path, text in (
            ("etc/passwd", PASSWD),
            ("etc/group", "root:x:0:\n"),
            ("etc/ssh/sshd_config", SETTINGS),
            ("run/sshd/.kept", ""),
            ("root/.kept", ""),
        ):
            images.add_file(archive, path, text.encode())
    command = ["docker", "import", "-c", f"CMD {json.dumps(['sleep', 'infinity'])}", "-", IMAGE]
    subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=True, timeout=120)
    return IMAGE


class Peer:
    """The other container; everything that Docker was asked for the rental holds for it too."""

    def __init__(self, folder: Path, *, like: UUID, image: str, key: Path) -> None:
        folder.mkdir()
        make_key(folder / "host_key")
        public = key.with_suffix(".pub").read_text()
        (folder / "authorized_keys").write_text(public)
        self.host_key = (folder / "host_key.pub").read_text().strip()
        self.port = free_port()
        self._api = docker.APIClient(timeout=60)
        (found,) = self._api.containers(filters={"label": f"berth.placement={like}"})
        self._rental = str(found["Id"])
        rental = self._api.inspect_container(found["Id"])
        _give_to_root_of(int(rental["State"]["Pid"]), folder)
        wanted = dict(rental["HostConfig"])
        wanted["Binds"] = [f"{folder}:/keys:ro"]
        wanted["PortBindings"] = {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}]}
        made = self._api.create_container(
            image=image,
            entrypoint=["/usr/sbin/sshd", "-D", "-e"],
            user="0",
            ports=[22],
            host_config=wanted,
        )
        self._container = str(made["Id"])
        self._api.start(self._container)
        self._wait()

    def used_s(self) -> float:
        """Return the processor seconds that it has used since its start."""
        return self._used_s(self._container)

    def rental_used_s(self) -> float:
        """Return those of the rental."""
        return self._used_s(self._rental)

    def remove(self) -> None:
        """Remove the container."""
        self._api.remove_container(self._container, force=True, v=True)
        self._api.close()

    def _used_s(self, container: str) -> float:
        told = self._api.stats(container, stream=False, one_shot=True)
        return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        scan = ["ssh-keyscan", "-p", str(self.port), "-t", "ed25519", "127.0.0.1"]
        while not subprocess.run(scan, capture_output=True, timeout=30, check=False).stdout:
            log = self._api.logs(self._container).decode()[-500:]
            assert time.monotonic() < deadline, f"The peer does not answer: {log}"
            time.sleep(0.1)


def _give_to_root_of(process: int, folder: Path) -> None:
    """Give the folder to whoever is root inside, where the engine maps users."""
    _, outside, _ = Path(f"/proc/{process}/uid_map").read_text().split()[:3]
    for path in (folder, *folder.iterdir()):
        os.chown(path, int(outside), int(outside))
