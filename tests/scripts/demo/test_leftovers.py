"""What is left behind is found, and where nobody could look that is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.demo import leftovers


def test_an_engine_that_does_not_answer_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    found = leftovers.Found(now=leftovers.in_docker("abc"))

    sentence = found.left(tmp_path)[0]
    assert sentence.startswith("perhaps containers and networks: Docker does not answer")


def test_an_empty_engine_leaves_nothing_to_say(tmp_path: Path) -> None:
    found = leftovers.Found(now=leftovers.InDocker(others=True))

    assert found.left(tmp_path) == []


def test_every_object_has_its_line(tmp_path: Path) -> None:
    now = leftovers.InDocker(frozenset({"network b", "container a"}), others=True)
    found = leftovers.Found(now=now, problems=["what the agent made: it is busy"])

    assert found.left(tmp_path) == ["what the agent made: it is busy", "container a", "network b"]


def test_a_process_of_the_demo_is_found_by_its_environment(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    environment = {**os.environ, "BERTH_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()

        assert set(leftovers.processes_of(tmp_path)) == {process.pid}
        process.kill()
