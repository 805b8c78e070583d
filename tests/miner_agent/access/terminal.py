"""A person at a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence

PATIENCE_S = 60


class Terminal:
    """A program on a terminal of its own, of which everything it shows is kept."""

    def __init__(self, command: Sequence[str], *, rows: int, columns: int) -> None:
        self.shown = ""
        self.process, self._line = pty.fork()
        if self.process == 0:
            # The size is there before the program asks for it.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvp(command[0], command)

    def resize(self, rows: int, columns: int) -> None:
        """Change the terminal's size; the kernel tells the program."""
        fcntl.ioctl(self._line, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._line, text.encode())

    def expect(self, text: str) -> str:
        """Wait until the text is shown and return all up to its end, forgetting that."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            ready, _, _ = select.select([self._line], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} was not shown, but {self.shown!r}"
            more = self._read()
            assert more, f"{text!r} was not shown, but at the end {self.shown!r}"
            self.shown += more
        end = self.shown.index(text) + len(text)
        seen, self.shown = self.shown[:end], self.shown[end:]
        return seen

    def wait(self) -> int:
        """Wait for the program's end and return its exit status."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def kill(self) -> None:
        """End the program as a broken laptop would."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self._line)

    def _read(self) -> str:
        """Return what is shown next; nothing where the program has left its terminal."""
        try:
            return os.read(self._line, 4096).decode(errors="replace")
        except OSError:
            return ""
