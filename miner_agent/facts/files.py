"""This will read the machine's own files below a root, each within a bound and never failing."""

import hashlib
import os
import re
from pathlib import Path

from protocol.facts import Library

#: the longest of them, /proc/cpuinfo, has some 1.5 kB a processor
TEXT_BYTES_MOST = 1 << 21
NAMES_MOST = 4096
#: the driver's libraries have up to some 100 MB
LIBRARY_BYTES_MOST = 256 << 20
CHUNK_BYTES = 1 << 20


class Files:
    """The tree below ``root``: the machine's own, or a test's."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def text(self, path: str) -> str:
        """Return what the file holds, without blanks around it; empty where it cannot be read."""
        try:
            with self._at(path).open("rb") as file:
                return file.read(TEXT_BYTES_MOST).decode(errors="replace").strip()
        except OSError:
            return ""

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted; none where it cannot be read."""
        try:
            return tuple(sorted(os.listdir(self._at(folder)))[:NAMES_MOST])
        except OSError:
            return ()

    def has(self, path: str) -> bool:
        """Say whether there is something."""
        return self._at(path).exists()

    def library(self, path: str) -> Library:
        """Return a library with its size and digest."""
        try:
            with self._at(path).open("rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
                digest = hashlib.sha256()
                if size_bytes <= LIBRARY_BYTES_MOST:
                    while chunk := file.read(CHUNK_BYTES):
                        digest.update(chunk)
        except OSError:
            return Library(path=shown(path), size_bytes=0, sha256="")
        hashed = digest.hexdigest() if size_bytes <= LIBRARY_BYTES_MOST else ""
        return Library(path=shown(path), size_bytes=size_bytes, sha256=hashed)

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")


def shown(text: str, most: int = 200) -> str:
    """Return ``text`` on one line, without what cannot be printed, cut to its limit."""
    return "".join(one for one in re.sub(r"\s+", " ", text) if one.isprintable())[:most]
