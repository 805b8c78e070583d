"""A process is asked to end first, and killed where it does not."""

import signal
import subprocess
import sys

import pytest

from scripts.ending import end

DEAF = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', flush=True)\ntime.sleep(60)\n"
)
POLITE = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize(
    ("program", "within_s", "signalled"),
    [(POLITE, 30, signal.SIGTERM), (DEAF, 0.1, signal.SIGKILL)],
)
def test_it_ends_by_the_mildest_signal(program: str, within_s: float, signalled: int) -> None:
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()

        end(process.pid, within_s=within_s)

        assert process.wait(60) == -signalled


def test_one_that_is_gone_is_no_mistake() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(60)

    end(process.pid, within_s=1)
