"""This will run lines of shell on the machine that the agent is installed on: this one."""

import subprocess
from pathlib import Path
from typing import Protocol

#: of what a step says: its end, where a failure is
SAID_MOST = 4000


class StepFailed(Exception):
    """A step said no, or took too long; the sentence ends with what it said."""


class Shell(Protocol):
    """One machine, as its root."""

    def run(self, script: str, *, deadline_s: float) -> str:
        """Return what the script said.

        :raises StepFailed: when a line of it fails, or when it takes too long.
        """
        ...

    def put(self, path: str, content: bytes) -> None:
        """Write a file.

        :raises StepFailed: when it cannot be written.
        """
        ...


class LocalShell:
    """This machine itself."""

    def run(self, script: str, *, deadline_s: float) -> str:
        """Run it by /bin/sh, which ends at the first line that fails."""
        try:
            done = subprocess.run(
                ["/bin/sh", "-e"],
                input=script,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=deadline_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StepFailed(f"It took longer than {deadline_s:g} s.") from error
        if done.returncode != 0:
            raise StepFailed(said(done.stdout))
        return done.stdout

    def put(self, path: str, content: bytes) -> None:
        """Write a file that only this user can read."""
        try:
            Path(path).touch(mode=0o600)
            Path(path).write_bytes(content)
        except OSError as error:
            raise StepFailed(str(error)) from error


def said(text: str) -> str:
    """Return the end of what a script said, which is where it says why."""
    return text.strip()[-SAID_MOST:] or "It failed and said nothing."
