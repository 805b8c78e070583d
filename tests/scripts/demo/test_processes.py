"""What the demo begins beside its steps: its words are read, and it outlives no demo."""

import os
import sys
from pathlib import Path

import pytest

from scripts.demo.processes import Ended, Processes


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(tmp_path, os.environ)


def test_a_program_that_was_begun_is_read_when_it_has_ended(processes: Processes) -> None:
    begun = processes.begin(sys.executable, "-c", "print('told'); raise SystemExit(1)")
    assert processes.finish(begun, well=(0, 1)) == "told\n"


def test_one_that_ends_badly_is_named_with_what_it_said(processes: Processes) -> None:
    begun = processes.begin(sys.executable, "-c", "raise SystemExit('no such machine')")
    with pytest.raises(Ended, match=r"failed \(1\): no such machine"):
        processes.finish(begun)


def test_one_that_lasts_too_long_is_given_up_and_ended_with_the_demo(processes: Processes) -> None:
    begun = processes.begin(sys.executable, "-c", "import time; time.sleep(600)")
    with pytest.raises(Ended, match="took more than 0 s"):
        processes.finish(begun, within_s=0.1)
    processes.stop()
    assert begun.returncode is not None
