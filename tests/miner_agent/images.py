"""Images of nothing but a static busybox, made without any registry."""

import io
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
CHANGES = ("ENV PATH=/usr/bin:/bin FROM_IMAGE=one", 'CMD ["sleep","100000"]')


def add_busybox(archive: tarfile.TarFile) -> None:
    """Put the static busybox and a link for each of its programs into the archive."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    archive.add(BUSYBOX, "bin/busybox")
    for applet in applets.stdout.split():
        if applet != "busybox":
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)


def add_file(archive: tarfile.TarFile, path: str, content: bytes, *, mode: int = 0o644) -> None:
    """Put one file into the archive."""
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def content(**files: str) -> bytes:
    """Return the image's files as a tar archive; ``files`` are in the folder /data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        add_busybox(archive)
        for name, text in files.items():
            add_file(archive, f"data/{name}", text.encode())
    return buffer.getvalue()


def make(name: str, *changes: str, engine: str = "", **files: str) -> str:
    """Import an image and return its id."""
    flags = [word for change in (*CHANGES, *changes) for word in ("-c", change)]
    where = ["-H", engine] if engine else []
    command = ["docker", *where, "import", *flags, "-", name]
    done = subprocess.run(command, input=content(**files), capture_output=True, check=True)
    return done.stdout.decode().strip()
