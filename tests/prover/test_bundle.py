"""The prover as one file: the same everywhere, alone, and deaf to garbage."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from prover import bundle, cuda
from prover.gpu import Gpus
from prover.lines import Session

DEMANDS = '{"op":"hello","bind":"01"}\n{"op":"ping"}\n{"op":"bye"}\n'


def run(command: list[str], given: bytes, *, folder: Path) -> list[dict[str, object]]:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", *command],
        input=given,
        capture_output=True,
        check=True,
        timeout=30,
        cwd=folder,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> str:
    file = tmp_path / "prover"
    file.write_bytes(bundle.program())
    return str(file)


def test_the_program_is_one_small_file_that_never_differs(tmp_path: Path) -> None:
    assert bundle.program() == bundle.program()
    assert len(bundle.program()) < 100_000
    assert b".cu" not in bundle.program()


def test_it_answers_as_a_file_and_through_its_first_line(file: str, tmp_path: Path) -> None:
    as_file = run([file, "--cores=0"], DEMANDS.encode(), folder=tmp_path)
    as_line = run(
        ["-c", bundle.boot(), "--cores=0"], bundle.line() + DEMANDS.encode(), folder=tmp_path
    )
    assert as_file == as_line
    hello, ping = as_file
    assert (hello["version"], hello["affinity"], hello["gpus"]) == (1, 1, [])
    assert ping == {"op": "ping"}


def test_garbage_on_the_line_is_answered_with_an_error(file: str, tmp_path: Path) -> None:
    lines = b'[]\nnot json\n{"op":"hello","bind":"zz"}\n{"op":"shell"}\n{"op":"bye"}\n'
    answers = run([file, "--memory-bytes=1000000"], lines, folder=tmp_path)
    assert [answer["op"] for answer in answers] == ["error"] * 4


def test_a_machine_without_a_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "LIBRARIES", ("no-such-library.so",))
    inventory = Gpus(Session(), with_gpus=True).inventory()
    assert inventory["gpus"] == []
    assert inventory["gpus_missing"].endswith("install NVIDIA's driver.")
