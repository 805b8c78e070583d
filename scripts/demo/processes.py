"""This will start the demo's programs, and end every one of them."""

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_S_MAX = 20
PR_SET_PDEATHSIG = 1


class Ended(Exception):
    """A program that should run has ended."""


class Processes:
    """The running programs, each writing to its own log."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self.environment = dict(environment)
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._begun: list[subprocess.Popen[str]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a program that runs until :meth:`stop`."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                # Ctrl-C must reach the demo alone; it ends the programs in the right order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._running.append((name, process))

    def check(self) -> None:
        """Look whether everything still runs.

        :raises Ended: with the last line of the log.
        """
        for name, process in self._running:
            if process.poll() is not None:
                raise Ended(f"{name} ended ({process.returncode}): {self.last_line(name)}")

    def run(self, *command: str, within_s: float = 60, content: str | None = None) -> str:
        """Run a program to its end and return what it wrote.

        :raises Ended: when it failed or took too long.
        """
        try:
            done = subprocess.run(
                command,
                input=content,
                capture_output=True,
                text=True,
                timeout=within_s,
                check=False,
                env=self.environment,
            )
        except subprocess.TimeoutExpired as error:
            raise Ended(f"{shown(command)} took more than {within_s:.0f} s") from error
        if done.returncode != 0:
            wrote = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            raise Ended(f"{shown(command)} failed ({done.returncode}): {' / '.join(wrote)}")
        return done.stdout

    def begin(self, *command: str) -> "subprocess.Popen[str]":
        """Start a program that ends by itself, for :meth:`finish`."""
        begun = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            preexec_fn=_die_with_parent,
        )
        self._begun.append(begun)
        return begun

    def finish(
        self, begun: "subprocess.Popen[str]", *, within_s: float = 60, well: Sequence[int] = (0,)
    ) -> str:
        """Return what the program has written, once it has ended.

        :raises Ended: when its exit status is not one of ``well``, or it took too long.
        """
        name = shown(begun.args)  # type: ignore[arg-type]
        try:
            written, failed = begun.communicate(timeout=within_s)
        except subprocess.TimeoutExpired as error:
            raise Ended(f"{name} took more than {within_s:.0f} s") from error
        if begun.returncode not in well:
            raise Ended(f"{name} failed ({begun.returncode}): {failed.strip()[-300:]}")
        return written

    def last_line(self, name: str) -> str:
        """Return the end of a program's log, for a message."""
        lines = (self.logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"

    def stop(self) -> None:
        """End every program, the last started first; what does not listen is killed."""
        for begun in self._begun:
            if begun.poll() is None:
                begun.kill()
            begun.wait()
        for _, process in reversed(self._running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S_MAX)
            # Also what the program may have left in its own group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()


def shown(command: Sequence[str]) -> str:
    """Return a command as a person reads it, without the path of the interpreter."""
    return " ".join(Path(word).name if number < 2 else word for number, word in enumerate(command))


def _die_with_parent() -> None:
    # A demo that is killed outright leaves no program behind either.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
