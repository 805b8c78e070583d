"""This will run ``berth`` in a process of its own, as a person's shell does."""

import atexit
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.nursery import Nursery

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        return json.loads(self.err)


class Terminal:
    """A shell with its own home, a search path that begins with its own bin, and no proxy."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir()
        self.environment = {
            "HOME": str(home),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "BERTH_URL": url,
            "NO_PROXY": "*",
        }

    def berth(self, *arguments: str, stdin: str = "") -> Ran:
        """Run the command to its end."""
        ran = nursery().run(
            ("-m", "berth", *arguments),
            environment=self.environment,
            folder=self.home,
            told=stdin,
            within_s=60,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def program(self, name: str, script: str) -> None:
        """Put a program of this name first on the search path."""
        path = self.bin / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)


@cache
def nursery() -> Nursery:
    """Return the one process that has loaded the command, for all tests."""
    # Without the variables of whoever runs the tests: a person's shell decides about letters.
    plain = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    made = Nursery("berth.cli.app", "httpcore", environment=plain)
    atexit.register(made.close)
    return made
