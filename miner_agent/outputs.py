"""This will find what a job left in its output folder, trusting nothing that is in it.

The job was root in there: names, links, devices and sizes are whatever it wanted them to be. So
each folder and file is opened by one name below a folder that is open already, and no link is
followed.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from protocol.workload import JobFile, RelativePath

#: entries of every kind that are looked at
ENTRIES_MOST = 100_000
CHUNK_BYTES = 1 << 20
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: a pipe without a writer would keep its reader waiting
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
RELATIVE_PATH: TypeAdapter[str] = TypeAdapter(RelativePath)


class OutputsRefused(Exception):
    """The job left more than it may; ``code`` and the sentence go to the marketplace."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Output:
    """A regular file with a proper name."""

    path: str
    size_bytes: int


def find(root: Path, *, files_most: int, bytes_most: int) -> tuple[Output, ...]:
    """Return every regular file below ``root`` in the order of their paths.

    What is no file or folder, or has a name that no file may have, is left out.

    :raises OutputsRefused: when there are more files or bytes, or entries of any kind, than may be.
    """
    found: list[Output] = []
    left_bytes, entries = bytes_most, 0
    folders = [""]
    while folders:
        folder = folders.pop()
        with _opened(root, folder, FOLDER) as descriptor, os.scandir(descriptor) as listed:
            for entry in listed:
                entries += 1
                if entries > ENTRIES_MOST:
                    message = f"The job left more than {ENTRIES_MOST} entries in /output."
                    raise OutputsRefused("outputs_too_many", message)
                path = _proper(f"{folder}/{entry.name}" if folder else entry.name)
                told = os.stat(entry.name, dir_fd=descriptor, follow_symlinks=False)
                if path is None:
                    continue
                if stat.S_ISDIR(told.st_mode):
                    folders.append(path)
                elif stat.S_ISREG(told.st_mode):
                    found.append(Output(path, told.st_size))
                    left_bytes -= told.st_size
                    _check(len(found), left_bytes, files_most=files_most, bytes_most=bytes_most)
    return tuple(sorted(found, key=lambda output: output.path))


@contextmanager
def opened(root: Path, output: Output) -> Iterator[BinaryIO]:
    """Open a file that was found.

    :raises OSError: when it is not that file any more.
    """
    if _proper(output.path) is None:
        raise OSError(f"{output.path!r} is no path below the folder.")
    with _opened(root, output.path, FILE) as descriptor:
        told = os.fstat(descriptor)
        if not stat.S_ISREG(told.st_mode) or told.st_size != output.size_bytes:
            raise OSError(f"{output.path} has changed while it was read.")
        with open(descriptor, "rb", closefd=False) as file:
            yield file


def described(file: BinaryIO, output: Output) -> JobFile:
    """Return the file by its content, and go back to its beginning."""
    told = hashlib.sha256()
    left = output.size_bytes
    while left and (chunk := file.read(min(left, CHUNK_BYTES))):
        told.update(chunk)
        left -= len(chunk)
    file.seek(0)
    return JobFile(path=output.path, digest=told.hexdigest(), size_bytes=output.size_bytes)


def _check(files: int, left_bytes: int, *, files_most: int, bytes_most: int) -> None:
    if files > files_most:
        message = f"The job left more than {files_most} files in /output."
        raise OutputsRefused("outputs_too_many", message)
    if left_bytes < 0:
        message = f"The job left more than the {bytes_most} bytes in /output that it may send back."
        raise OutputsRefused("outputs_too_large", message)


def _proper(path: str) -> str | None:
    """Return a path that other machines can use as it is, None where they cannot."""
    try:
        return RELATIVE_PATH.validate_python(path)
    except ValidationError:
        return None


@contextmanager
def _opened(root: Path, path: str, flags: int) -> Iterator[int]:
    """Open one entry below ``root``, folder by folder: no part of the way may be a link."""
    names = path.split("/") if path else []
    descriptor = os.open(root, FOLDER)
    try:
        for position, name in enumerate(names):
            last = position == len(names) - 1
            inner = os.open(name, flags if last else FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
