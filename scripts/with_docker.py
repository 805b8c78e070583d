"""This will run a command while a Docker Engine answers: ``python -m scripts.with_docker CMD``."""

import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from scripts.docker_engine import NoEngine, engine

TREE = Path(__file__).resolve().parents[1]
STOPPING = (signal.SIGTERM, signal.SIGHUP)


def main(command: list[str]) -> int:
    """Return the command's exit status, or 1 when there is no engine."""
    for number in STOPPING:
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        with engine(TREE / ".berth" / "docker") as sentence:
            print(sentence, file=sys.stderr, flush=True)
            return run(command)
    except NoEngine as refused:
        print(refused, file=sys.stderr)
        return 1


def run(command: list[str]) -> int:
    """Run the command to its end; who wants to stop it stops it first, and its engine after it."""
    process = subprocess.Popen(command)

    def pass_on(number: int, frame: FrameType | None) -> None:
        # As Ctrl-C: pytest then removes what its tests have made.
        process.send_signal(signal.SIGINT)

    for number in STOPPING:
        signal.signal(number, pass_on)
    # The terminal sends Ctrl-C to the command as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
