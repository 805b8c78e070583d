"""This will end a process that hangs, however it hangs."""

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """End this process with status 1 if the block is not left in time, and say where it hung.

    A thread in C watches: it needs neither the event loop nor the interpreter's lock, which a
    library that hangs may hold.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
