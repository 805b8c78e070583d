"""This will run ``berth`` as a process of its own, as a person's shell does."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        ran = subprocess.run(
            [sys.executable, "-m", "berth", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.home,
            timeout=60,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def program(self, name: str, script: str) -> None:
        """Put a program of this name first on the search path."""
        path = self.bin / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
