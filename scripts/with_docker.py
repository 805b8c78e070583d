"""This will run a command while a Docker Engine answers: ``python -m scripts.with_docker CMD``."""

import subprocess
import sys
from pathlib import Path

from scripts.docker_engine import NoEngine, engine

TREE = Path(__file__).resolve().parents[1]


def main(command: list[str]) -> int:
    """Return the command's exit status, or 1 when there is no engine."""
    try:
        with engine(TREE / ".berth" / "docker") as sentence:
            print(sentence, file=sys.stderr, flush=True)
            return subprocess.run(command, check=False).returncode
    except NoEngine as refused:
        print(refused, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
