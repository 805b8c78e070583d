"""Set-up says what it does, refuses in one sentence, and is honest about what is there."""

import fcntl
import os
import shutil
import sys
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from scripts import setup

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a tree without a virtual environment, on a machine with all Debian packages."""
    monkeypatch.setattr(setup, "TREE", tmp_path)
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup, "STAMP", tmp_path / ".venv" / "stamp")
    monkeypatch.setattr(setup, "LOG", tmp_path / ".berth" / "setup.log")
    monkeypatch.setattr(setup, "missing_packages", lambda: ())
    return tmp_path


def test_the_plan_names_packages_with_their_purpose_and_changes_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "missing_packages", lambda: ("patchelf",))

    assert setup.main(["--print"]) == 0

    shown = capsys.readouterr().out
    assert "patchelf           relocates the access kit" in shown
    assert "django==" in shown
    assert list(tree.iterdir()) == []


def test_a_full_disk_is_refused_before_anything_is_begun(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10 << 30, 9 << 30, 1 << 30))

    assert setup.main([]) == 1

    assert capsys.readouterr().err == f"Only 1.0 GiB are free in {tree}; set-up needs 3 GiB.\n"
    assert list(tree.iterdir()) == []


def test_a_failed_command_shows_its_end_and_names_the_step(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert setup.main([]) == 1

    assert capsys.readouterr().err == (
        "Set-up stopped at: Make .venv: venv ended with 1; its output is in"
        f" {tree}/.berth/setup.log\n"
    )


def test_a_place_that_can_not_be_written_is_named(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / ".berth").write_text("a file where a folder must be")

    assert setup.main([]) == 1

    assert f"{tree}/.berth" in capsys.readouterr().err


def test_a_virtual_environment_of_another_python_is_not_used(tree: Path) -> None:
    venv = tree / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / "python3.99").mkdir(parents=True)
    for name in ("python", "pip"):
        (venv / "bin" / name).touch()

    assert not setup.is_usable(venv)


def test_a_virtual_environment_without_pip_is_made_anew(tree: Path) -> None:
    venv = tree / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}").mkdir(parents=True)
    (venv / "bin" / "python").touch()

    assert not setup.is_usable(venv)
    (venv / "bin" / "pip").touch()
    assert setup.is_usable(venv)


def test_a_second_set_up_waits_and_finds_everything_done(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = os.open(tree, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    told = threading.Event()
    said: list[str] = []

    def heard(line: str) -> None:
        said.append(line)
        told.set()

    monkeypatch.setattr(setup, "say", heard)
    ended: list[int] = []
    second = threading.Thread(target=lambda: ended.append(setup.main([])))
    second.start()
    assert told.wait(60)
    monkeypatch.setattr(setup, "is_stamped", lambda: True)
    os.close(first)
    second.join(60)

    assert ended == [0]
    assert said == ["Another set-up runs in this tree; waiting for its end."]
    assert list(tree.iterdir()) == []
