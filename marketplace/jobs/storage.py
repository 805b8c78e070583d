"""This will keep files by their content in one folder. Only here are they opened."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings

from marketplace.domain.problem import Refused
from marketplace.watch import in_thread

CHUNK_BYTES = 256 << 10
#: below it; where a file lies until it is whole
PART = "part"
#: what stays free of each disk that files are written on
FREE_BYTES_MIN = 1 << 30
#: whoever puts a file in its place or removes one holds it for that moment
LOCK = "lock"


class Readable(Protocol):
    """What an upload is read from, as far as it is needed here."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; none: it is over."""
        ...


class StorageFull(Refused):
    """The disk is nearly full; what else is on it, such as a database, needs the rest."""

    code = "storage_full"
    status = 503
    sentence = "This site has no room for files just now; try again later."
    retry_after_s = 60


class FileLost(Refused):
    """What somebody kept here lies on the disk no longer."""

    code = "file_lost"
    status = 410
    sentence = "This site has lost the file; run the job again, and ask the site's operator why."


class BlobTooLarge(Refused):
    """The file is larger than this site or its job takes."""

    code = "too_large"
    status = 413


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that is here as a whole and not kept yet."""

    #: sha256
    digest: str
    size_bytes: int
    part: Path

    def keep(self) -> None:
        """Let it stay; keeping the same again changes nothing."""
        target = path_of(self.digest)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with _changing():
            # Also where it is there already: its time says that somebody needs it just now.
            self.part.replace(target)


@dataclass(frozen=True, slots=True)
class Opened:
    """A kept file, read piece by piece, so that none is ever in memory as a whole."""

    file: BinaryIO
    size_bytes: int

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield its pieces."""
        while chunk := await in_thread(self.file.read)(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        """Be done with it: the answer that it is part of calls this, read to its end or not."""
        self.file.close()


@contextmanager
def arriving(source: Readable, *, bytes_max: int) -> Iterator[Arrived]:
    """Yield all of ``source`` as a file that is gone afterwards, unless it was kept.

    :raises BlobTooLarge: when it is longer than ``bytes_max``.
    :raises StorageFull: when the disk has no room left.
    """
    folder = _folder() / PART
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
        try:
            digest, size = hashlib.sha256(), 0
            while chunk := source.read(CHUNK_BYTES):
                check_room(folder)
                size += len(chunk)
                if size > bytes_max:
                    raise BlobTooLarge(f"The file is larger than {bytes_max} bytes.")
                digest.update(chunk)
                part.write(chunk)
            part.flush()
            os.fsync(part.fileno())
            yield Arrived(digest.hexdigest(), size, Path(part.name))
        finally:
            Path(part.name).unlink(missing_ok=True)


def check_room(folder: Path) -> None:
    """Accept that more is written on the disk that holds the folder.

    :raises StorageFull: when it has no room left.
    """
    if shutil.disk_usage(folder).free < FREE_BYTES_MIN:
        raise StorageFull


def path_of(digest: str) -> Path:
    """Return where the file of this sha256 lies. The digest is one: it was made or checked here."""
    return _folder() / digest[:2] / digest


def opened(digest: str) -> Opened:
    """Return the file of this sha256, open: whoever removes it from now on changes nothing.

    :raises FileLost: when it lies here no longer.
    """
    try:
        file = path_of(digest).open("rb")
    except FileNotFoundError:
        raise FileLost from None
    return Opened(file, os.fstat(file.fileno()).st_size)


def kept(*, before_s: float) -> Iterator[Path]:
    """Yield every file, whole or not, that nobody stored since this Unix time."""
    for path in _folder().glob("*/*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before_s:
                yield path


def remove(path: Path, *, before_s: float) -> bool:
    """Return whether the file was removed: not where somebody stored it since this Unix time."""
    with _changing(), suppress(FileNotFoundError):
        if path.stat().st_mtime < before_s:
            path.unlink()
            return True
    return False


@contextmanager
def _changing() -> Iterator[None]:
    """Hold what lies in the folder as it is: who looks at a file removes none that came since."""
    with (_folder() / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder() -> Path:
    return Path(settings.BLOBS_DIR)
