"""This will begin Python programs at once: each is forked from a process that has loaded them.

A program runs from its own ``__main__`` on, as ``python -m`` or ``python manage.py`` runs it: only
the second or two in which Python would load it are not waited for again.

python -m tests.nursery SOCKET MODULE...
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

TREE = Path(__file__).resolve().parents[1]
MESSAGE_BYTES_MOST = 1 << 18


class Life:
    """A program that was forked, with the words of ``subprocess.Popen``."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery
        # Its number is nobody else's until the nursery is asked how it ended.
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return how it ended, None: it lives."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended.

        :raises subprocess.TimeoutExpired: when it still lives.
        """
        if self.returncode is None:
            ended, _, _ = select.select([self._descriptor], [], [], timeout)
            if not ended:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = self._nursery.ask({"ended": self.pid})
            os.close(self._descriptor)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """A process that has loaded these modules, and from which programs are forked."""

    def __init__(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A kill may come from another thread than what begins or ends meanwhile.
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno()), *modules],
                cwd=TREE,
                env=environment,
                pass_fds=[theirs.fileno()],
            )

    def begin(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path = TREE,
        reads: IO[Any] | None = None,
        writes: IO[Any],
        complains: IO[Any],
    ) -> Life:
        """Begin what ``python WORDS`` would; it reads nothing, unless it is told what."""
        request = {"words": words, "environment": dict(environment), "folder": str(folder)}
        with Path(os.devnull).open() as nothing:
            files = [(reads or nothing).fileno(), writes.fileno(), complains.fileno()]
            return Life(self, self.ask(request, files))

    def run(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path = TREE,
        told: str,
        within_s: float,
    ) -> subprocess.CompletedProcess[str]:
        """Run what ``python WORDS`` would, tell it a text and return what it wrote."""
        with contextlib.ExitStack() as closing:
            reads, writes, complains = (
                closing.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
                for _ in range(3)
            )
            reads.write(told)
            reads.seek(0)
            life = self.begin(
                words,
                environment=environment,
                folder=folder,
                reads=reads,
                writes=writes,
                complains=complains,
            )
            try:
                status = life.wait(timeout=within_s)
            finally:
                life.kill()
            for file in (writes, complains):
                file.seek(0)
            return subprocess.CompletedProcess(words, status, writes.read(), complains.read())

    def ask(self, request: Mapping[str, Any], files: Sequence[int] = ()) -> int:
        """Return the number that the nursery answers with."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            answer = self._socket.recv(MESSAGE_BYTES_MOST)
        assert answer, "The nursery has ended."
        return int(answer)

    def close(self) -> None:
        """End it; whoever still lives goes on."""
        self._socket.close()
        self._process.wait(timeout=60)


def serve(asked: socket.socket) -> list[str]:
    """Fork until nobody asks any more; return the words of the program that this process is now."""
    while True:
        content, files, _, _ = socket.recv_fds(asked, MESSAGE_BYTES_MOST, 3)
        if not content:
            return []
        request = json.loads(content)
        if "ended" in request:
            _, status = os.waitpid(request["ended"], 0)
            asked.send(str(os.waitstatus_to_exitcode(status)).encode())
            continue
        assert len(os.listdir("/proc/self/task")) == 1, "A fork would lose the other threads."
        life = os.fork()
        if life == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number, file in enumerate(files):
                os.dup2(file, number)
            os.environ.clear()
            os.environ.update(request["environment"])
            os.chdir(request["folder"])
            words: list[str] = request["words"]
            return words
        asked.send(str(life).encode())
        for file in files:
            os.close(file)


def main() -> None:
    """Load the modules, fork programs, and become them."""
    number, *modules = sys.argv[1:]
    # Ctrl-C ends the tests, which then ask here how their programs ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules:
        importlib.import_module(module)
    with socket.socket(fileno=int(number)) as asked:
        words = serve(asked)
    if words[:1] == ["-m"]:
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
