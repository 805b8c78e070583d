"""This will read the kernel's log from where it was read to last."""

import os
from collections.abc import Iterator
from pathlib import Path

KERNEL_LOG = Path("/dev/kmsg")
#: longer than any record
RECORD_BYTES = 8192
#: in one look; what is left comes with the next
RECORDS_MOST = 20_000


class KernelLog:
    """The log as a file that stays open: each look reads what is new."""

    def __init__(self, path: Path = KERNEL_LOG) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_readable(self) -> bool:
        """Whether this process may read it at all."""
        return self._open() is not None

    def records(self) -> Iterator[str]:
        """Yield each record that was not read yet; at first, all that the kernel still has."""
        descriptor = self._open()
        if descriptor is None:
            return
        for _ in range(RECORDS_MOST):
            try:
                record = os.read(descriptor, RECORD_BYTES)
            except BlockingIOError:
                return
            except BrokenPipeError:
                # The kernel has overwritten what came next; the one after that is the next.
                continue
            if not record:
                return
            yield record.decode(errors="replace")

    def close(self) -> None:
        """Close the file; a later look begins at the beginning."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int | None:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                return None
        return self._descriptor
