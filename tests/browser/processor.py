"""A card processor in a process of its own: the stand-in for Stripe, with its pages for people."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

START_S_MAX = 60


@contextmanager
def running(site: str) -> Iterator[str]:
    """Yield its address once it answers; it tells ``site`` of what happens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "scripts.stripe_stand_in", "--site", site, "--port", str(port)]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + START_S_MAX
        while not _answers(port):
            assert process.poll() is None, "The stand-in ended."
            assert time.monotonic() < deadline, "The stand-in did not start."
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    with closing(socket.socket()) as door:
        return door.connect_ex(("127.0.0.1", port)) == 0
