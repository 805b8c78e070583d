"""This will list what is in the tree, as a clone of it would have."""

import subprocess
from functools import cache
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
PROGRAMS = ("berth", "marketplace", "miner_agent", "protocol", "prover", "scripts", "validator")
#: made or copied by other tools: their shape is not ours
FOREIGN = ("requirements/", "static/vendor/", "LICENSE")


@cache
def tracked() -> tuple[str, ...]:
    """Return the path of every file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=TREE,
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    ).stdout
    return tuple(
        path for path in sorted(set(listed.split("\0"))) if path and (TREE / path).exists()
    )


def python_files(*folders: str) -> list[str]:
    """Return the Python files in these folders, without migrations."""
    return [
        path
        for path in tracked()
        if path.endswith(".py") and path.split("/")[0] in folders and "/migrations/" not in path
    ]


def text_of(path: str) -> str:
    """Return a file's text, empty where it holds none."""
    try:
        return (TREE / path).read_text()
    except UnicodeDecodeError:
        return ""
