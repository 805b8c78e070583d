"""This will make the demo's image from the machine's own busybox: no registry is asked."""

import io
import subprocess
import tarfile

import docker
from docker.errors import ImageNotFound

from scripts.system_packages import find_program

REPOSITORY = "berth/base"
TAG = "1"
NAME = f"{REPOSITORY}:{TAG}"
FOLDERS = ("bin", "dev", "etc", "lib", "proc", "root", "run", "sbin", "sys", "usr", "usr/bin")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/shells": "/bin/sh\n",
}
CHANGES = ["ENV PATH=/usr/local/bin:/usr/bin:/bin:/sbin", 'CMD ["sleep","1000000000"]']


def make() -> bool:
    """Import the image; False when it is there already."""
    client = docker.from_env(timeout=60)
    try:
        try:
            client.images.get(NAME)
        except ImageNotFound:
            client.api.import_image_from_data(
                content(), repository=REPOSITORY, tag=TAG, changes=CHANGES
            )
            return True
        return False
    finally:
        client.close()


def content() -> bytes:
    """Return the image's files as a tar archive.

    :raises FileNotFoundError: when there is no busybox.
    """
    busybox = find_program("busybox")
    if busybox is None:
        raise FileNotFoundError("Install busybox-static: the demo's image is made from it.")
    applets = subprocess.run(
        [busybox, "--list"], capture_output=True, text=True, check=True, timeout=10
    ).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in FOLDERS:
            _add_folder(archive, folder, 0o755)
        for folder in ("tmp", "var", "var/tmp"):
            _add_folder(archive, folder, 0o1777 if folder.endswith("tmp") else 0o755)
        for name, text in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
        archive.add(busybox, "bin/busybox", filter=_root_owned)
        for applet in applets:
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
    return buffer.getvalue()


def _add_folder(archive: tarfile.TarFile, name: str, mode: int) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    archive.addfile(folder)


def _root_owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
