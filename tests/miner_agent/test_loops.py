"""A disk that goes takes nothing of another one's, whatever became of its device meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from miner_agent import loops
from miner_agent.command import CommandFailed, run
from miner_agent.disk import DiskFailed, Disks, check_mounted

SIZE = 2 << 20


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two disks, and at the end neither mount nor device of theirs."""
    made = (tmp_path / "going", tmp_path / "coming")
    for file in made:
        loops.make_file_system(file, size_bytes=SIZE)
    yield made
    for file in made:
        loops.let_go(file)


def bind(file: Path) -> str:
    """Hold the file as something that just looks at it does, and return the device."""
    return run(["losetup", "--find", "--show", str(file)]).strip()


def once(asked: Sequence[str], do: Callable[[], None]) -> Callable[..., str]:
    """Return the way to the system's commands on which ``do`` happens after ``asked`` was told."""
    done = []

    def told(command: Sequence[str], **how: float) -> str:
        answer = run(command, **how)
        if command == asked and not done:
            done.append(asked)
            do()
        return answer

    return told


def test_a_device_that_becomes_another_disks_is_left_alone(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, coming = files
    target = tmp_path / "target"
    target.mkdir()
    device = bind(going)

    def change_hands() -> None:
        run(["losetup", "-d", device])
        run(["losetup", device, str(coming)])
        run(["mount", device, str(target)])

    monkeypatch.setattr(loops, "run", once(["losetup", "-j", str(going)], change_hands))
    loops.let_go(going)
    assert loops.is_mounted(target)
    assert run(["losetup", "-j", str(coming)]).startswith(f"{device}:")
    assert run(["losetup", "-j", str(going)]) == ""


def test_a_disk_goes_wherever_it_is_mounted_and_with_a_leftover_device(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    going, _ = files
    bind(going)
    targets = [tmp_path / name for name in ("one place", "other")]
    for target in targets:
        target.mkdir()
        loops.mount(going, target, options="nodev")
    loops.let_go(going)
    assert not any(loops.is_mounted(target) for target in targets)
    assert run(["losetup", "-j", str(going)]) == ""


def test_a_disk_in_use_does_not_go(files: tuple[Path, Path], tmp_path: Path) -> None:
    going, _ = files
    target = tmp_path / "target"
    target.mkdir()
    loops.mount(going, target, options="nodev")
    with (target / "open").open("w"), pytest.raises(CommandFailed, match="busy"):
        loops.let_go(going)
    assert loops.is_mounted(target)


def test_what_is_in_use_for_a_moment_goes_in_the_next_one(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    loops.mount(files[0], target, options="nodev")
    held = (target / "open").open("w")

    def let_go_when_refused(command: Sequence[str]) -> str:
        try:
            return run(command)
        except CommandFailed:
            held.close()
            raise

    monkeypatch.setattr(loops, "run", let_go_when_refused)
    loops.unmount(target)
    assert held.closed
    assert not loops.is_mounted(target)


def test_a_container_whose_disk_is_not_mounted_is_seen(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    with pytest.raises(DiskFailed):
        check_mounted(layer)
    loops.mount(files[0], layer, options="nodev")
    check_mounted(layer)


def test_a_look_that_a_crash_has_left_goes_and_its_disk_stays(tmp_path: Path) -> None:
    disks, placement_id = Disks(tmp_path), uuid4()
    disk = tmp_path / f"{placement_id}.0.img"
    disk.touch()
    look = disk.with_suffix(".look")
    look.mkdir()
    run(["mount", "-t", "tmpfs", "tmpfs", str(look)])
    try:
        disks.remove(placement_id, kept={0})
        assert (disk.exists(), look.exists()) == (True, False)
    finally:
        loops.unmount(look)
