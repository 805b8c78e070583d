"""Only one run holds a lock, and a killed one holds it no longer."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lock import Locked, locked
from tests.architecture.sources import TREE

HOLDER = (
    "import sys, time\nfrom pathlib import Path\nfrom scripts.lock import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def test_a_second_run_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=TREE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(Locked), locked(tmp_path):
            pass
        first.kill()

    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
