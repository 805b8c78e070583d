"""This will keep a second run away from what only one may use."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path


class Locked(Exception):
    """Another process holds the lock; it goes with that process, however that ends."""


@contextlib.contextmanager
def locked(path: Path, *, while_waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of a file or folder that exists.

    Where another process holds it, call ``while_waiting`` once and wait for that process.

    :raises Locked: when another process holds it and there is no ``while_waiting``.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if while_waiting is None:
                raise Locked(str(path)) from error
            while_waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
