"""Three kinds of image that a renter may bring: Debian's, busybox alone, one static program."""

import functools
import io
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.miner_agent import debian_slice, images

PROBE = Path(__file__).with_name("probe.c")
#: where every image's own command answers
PORT, SOCKET = 7777, "/tmp/serve.sock"
COMMAND = ["/probe", "serve", str(PORT), SOCKET]
PATH_INSIDE = "/opt/tool/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Place:
    """An image and what has to hold in its sessions."""

    name: str
    #: as Docker takes it; the name to log in with; the number that both mean
    user: str
    login: str
    number: int
    #: empty: the home of whoever logs in
    folder: str
    files: dict[str, str]
    packages: tuple[str, ...] = ()
    has_busybox: bool = False

    def make(self) -> str:
        """Import the image and return its name."""
        name = f"berth-test-{self.name}:door"
        changes = [f"ENV PATH={PATH_INSIDE} FROM_IMAGE=one", f"USER {self.user}"]
        changes += [f"CMD {json.dumps(COMMAND)}"]
        changes += [f"WORKDIR {self.folder}"] if self.folder else []
        flags = [word for change in changes for word in ("-c", change)]
        command = ["docker", "import", *flags, "-", name]
        subprocess.run(command, input=self._archive(), capture_output=True, check=True)
        return name

    def _archive(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            if self.packages:
                debian_slice.add(archive, *self.packages)
            if self.has_busybox:
                images.add_busybox(archive)
            images.add_file(archive, "probe", probe(), mode=0o755)
            for path, text in self.files.items():
                images.add_file(archive, path, text.encode())
        return buffer.getvalue()


@functools.cache
def probe() -> bytes:
    """Return the static program that all three images have."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "probe"
        subprocess.run(["gcc", "-static", "-Os", "-s", "-o", program, PROBE], check=True)
        return program.read_bytes()


PLACES = (
    # A name as useradd makes it: locked, and its home is not there.
    Place(
        name="debian",
        packages=("bash", "dash", "coreutils", "base-files", "libc-bin"),
        user="app:staff",
        login="app",
        number=1000,
        folder="/workspace",
        files={
            "etc/passwd": (
                "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1000::/home/app:/bin/bash\n"
            ),
            "etc/group": "root:x:0:\nstaff:x:50:\napp:x:1000:\n",
            "etc/shadow": "root:*:19000:0:99999:7:::\napp:!:19000:0:99999:7:::\n",
        },
    ),
    # No /etc at all, and a number that nobody has.
    Place(
        name="busybox",
        has_busybox=True,
        user="1234",
        login="1234",
        number=1234,
        folder="",
        files={},
    ),
    # As images without a shell are made: everybody is told that there is none.
    Place(
        name="scratch",
        user="nonroot",
        login="nonroot",
        number=65532,
        folder="/srv",
        files={
            "etc/passwd": (
                "root:x:0:0:root:/root:/sbin/nologin\n"
                "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
            ),
            "etc/shadow": "root:!:19000:0:99999:7:::\n",
        },
    ),
)
