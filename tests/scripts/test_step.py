"""Each step shows its time; the one that fails is named, and no line is written over another."""

import subprocess
import sys

import pytest

from scripts.step import StepFailed, step, until
from tests.architecture.sources import TREE


def test_a_step_that_fails_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StepFailed, match=r"^Rent a machine: no offer$"), step("Rent a machine"):
        raise ValueError("no offer")

    assert capsys.readouterr().out == "  ✗ Rent a machine\n"


def test_what_a_step_tells_comes_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Rent a machine") as tell:
        tell("rental 7")

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  ✓ Rent a machine")
    assert second == "      rental 7"


def test_an_interrupted_step_stops_counting() -> None:
    program = (
        "import threading\nfrom scripts.step import step\n"
        "try:\n    with step('Wait'):\n        raise KeyboardInterrupt\n"
        "except KeyboardInterrupt:\n    print(threading.active_count())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=TREE, capture_output=True, text=True, check=True
    )

    assert done.stdout == "1\n"


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(TimeoutError, match="waited 0 s for the SSH banner"):
        until(lambda: None, within_s=0, waiting_for="the SSH banner")
