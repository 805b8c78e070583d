"""Volumes: made once, mounted into one placement, removed when asked, whatever was interrupted."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from miner_agent import loops
from miner_agent.domain.root_inside import Ids
from miner_agent.volumes import VolumeInUse, Volumes, VolumeUnknown
from protocol.workload import DesiredVolume, VolumeState

SIZE = 8 << 20
DEADLINE_S = 60
ONE, OTHER = uuid4(), uuid4()
ALICE, BOB = uuid4(), uuid4()


class Machine:
    """A disk and a journal, looked after by one agent after the other."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.directory = home / "volumes"
        self.volumes = self._open()

    def restart(self) -> None:
        self.volumes.close()
        self.volumes = self._open()

    def desire(self, *volumes: DesiredVolume, free_bytes: int = 100 * SIZE) -> None:
        self.volumes.desire(volumes, free_bytes=free_bytes)
        self.volumes.converge()

    def state(self, volume_id: UUID = ONE) -> VolumeState | None:
        states = {one.volume_id: one.state for one in self.volumes.observed()}
        return states.get(volume_id)

    def file(self, volume_id: UUID = ONE) -> Path:
        return self.directory / f"{volume_id}.img"

    def left(self) -> list[str]:
        """Return every file, mount and device that is here."""
        mounts = [point for point, _ in loops.mount_points() if point.startswith(str(self.home))]
        told = subprocess.run(["losetup", "-l", "-n"], capture_output=True, text=True, check=True)
        devices = [line for line in told.stdout.splitlines() if str(self.home) in line]
        return [*map(str, self.directory.iterdir()), *mounts, *devices]

    def close(self) -> None:
        for point, _ in list(loops.mount_points()):
            if point.startswith(str(self.home)):
                loops.unmount(Path(point))
        for file in self.directory.iterdir():
            loops.let_go(file)
        self.volumes.close()

    def _open(self) -> Volumes:
        return Volumes(path=self.home / "journal", directory=self.directory)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def wanted(volume_id: UUID = ONE, *, size_bytes: int = SIZE, remove: bool = False) -> DesiredVolume:
    return DesiredVolume(volume_id=volume_id, size_bytes=size_bytes, remove=remove)


def test_a_volume_has_its_size_reserved_and_ends_there(machine: Machine) -> None:
    machine.desire(wanted())
    assert machine.state() is VolumeState.READY
    assert machine.volumes.reserved_bytes() == SIZE
    assert machine.file().stat().st_blocks * 512 >= SIZE
    files = machine.volumes.attach(ALICE, ONE)
    with pytest.raises(OSError, match="No space left"):
        (files / "big").write_bytes(bytes(SIZE))
    (mount,) = [line for line in loops.MOUNTS.read_text().splitlines() if str(files.parent) in line]
    assert {"rw", "nosuid", "nodev"} <= set(mount.split()[5].split(","))
    assert os.listdir(files) == ["big"]


def test_what_is_in_it_outlives_placements_and_a_reboot(machine: Machine) -> None:
    machine.desire(wanted())
    (machine.volumes.attach(ALICE, ONE) / "note").write_text("kept")
    machine.volumes.detach(ALICE)
    assert not loops.is_mounted(machine.directory / str(ONE))
    (machine.volumes.attach(BOB, ONE) / "more").write_text("kept too")
    # A reboot takes mounts and devices, and leaves journal and files.
    loops.unmount(machine.directory / str(ONE))
    machine.restart()
    files = machine.volumes.attach(BOB, ONE)
    assert sorted(path.name for path in files.iterdir()) == ["more", "note"]


def test_one_placement_has_it_at_a_time(machine: Machine) -> None:
    machine.desire(wanted(), wanted(OTHER))
    machine.volumes.attach(ALICE, ONE)
    with pytest.raises(VolumeInUse):
        machine.volumes.attach(BOB, ONE)
    machine.volumes.attach(BOB, OTHER)
    machine.volumes.detach(ALICE)
    assert machine.volumes.attach(BOB, ONE).parent.name == str(ONE)


def test_a_placement_keeps_those_that_it_still_uses(machine: Machine) -> None:
    machine.desire(wanted(), wanted(OTHER))
    for volume_id in (ONE, OTHER):
        machine.volumes.attach(ALICE, volume_id)
    machine.volumes.detach(ALICE, kept=(ONE,))
    machine.volumes.attach(BOB, OTHER)
    with pytest.raises(VolumeInUse):
        machine.volumes.attach(BOB, ONE)


def test_silence_removes_nothing_and_a_word_does(machine: Machine) -> None:
    machine.desire(wanted())
    machine.desire()
    machine.restart()
    assert machine.state() is VolumeState.READY
    machine.desire(wanted(remove=True))
    assert (machine.state(), machine.left()) == (VolumeState.GONE, [])
    assert machine.volumes.reserved_bytes() == 0
    machine.desire()
    assert machine.state() is None


def test_one_in_use_is_removed_when_its_placement_is_gone(machine: Machine) -> None:
    machine.desire(wanted())
    (machine.volumes.attach(ALICE, ONE) / "note").write_text("in use")
    machine.desire(wanted(remove=True))
    assert machine.state() is VolumeState.READY
    assert (machine.directory / str(ONE) / "files" / "note").exists()
    with pytest.raises(VolumeUnknown):
        machine.volumes.attach(BOB, ONE)
    machine.volumes.detach(ALICE)
    machine.volumes.converge()
    assert (machine.state(), machine.left()) == (VolumeState.GONE, [])


def test_one_for_which_there_is_no_room_is_refused_and_leaves_nothing(machine: Machine) -> None:
    machine.desire(wanted(), wanted(OTHER), free_bytes=SIZE)
    assert (machine.state(), machine.state(OTHER)) == (VolumeState.READY, VolumeState.REFUSED)
    # More than the disk has, though nobody counted right.
    huge = uuid4()
    machine.desire(wanted(huge, size_bytes=1 << 50), free_bytes=1 << 51)
    assert machine.state(huge) is VolumeState.REFUSED
    assert machine.left() == [str(machine.file())]
    with pytest.raises(VolumeUnknown):
        machine.volumes.attach(ALICE, huge)


def test_one_that_nobody_asked_for_is_not_made(machine: Machine) -> None:
    with pytest.raises(VolumeUnknown):
        machine.volumes.attach(ALICE, ONE)
    assert machine.left() == []


@pytest.mark.parametrize("then_removed", [True, False])
def test_what_a_kill_left_half_made_is_made_or_removed(
    machine: Machine, then_removed: bool
) -> None:
    machine.volumes.desire([wanted()], free_bytes=SIZE)
    part = machine.directory / f"{ONE}.part"
    loops.make_file_system(part, size_bytes=SIZE)
    subprocess.run(["losetup", "-f", str(part)], check=True)
    machine.restart()
    machine.desire(wanted(remove=then_removed))
    if then_removed:
        assert (machine.state(), machine.left()) == (VolumeState.GONE, [])
    else:
        assert (machine.state(), machine.left()) == (VolumeState.READY, [str(machine.file())])


def test_one_that_was_made_when_the_journal_was_lost_is_taken_over(machine: Machine) -> None:
    machine.desire(wanted())
    (machine.volumes.attach(ALICE, ONE) / "note").write_text("kept")
    loops.unmount(machine.directory / str(ONE))
    machine.volumes.close()
    for file in machine.home.glob("journal*"):
        file.unlink()
    machine.volumes = machine._open()
    machine.desire(wanted())
    assert (machine.volumes.attach(ALICE, ONE) / "note").read_text() == "kept"


def test_what_is_desired_is_written_down_while_a_volume_is_being_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    making, written = threading.Event(), threading.Event()
    make = loops.make_file_system
    heard = []

    def make_slowly(file: Path, *, size_bytes: int) -> None:
        making.set()
        heard.append(written.wait(DEADLINE_S))
        make(file, size_bytes=size_bytes)

    machine.volumes.desire([wanted()], free_bytes=2 * SIZE)
    monkeypatch.setattr(loops, "make_file_system", make_slowly)
    tending = threading.Thread(target=machine.volumes.converge)
    tending.start()
    assert making.wait(DEADLINE_S)
    machine.volumes.desire([wanted(remove=True), wanted(OTHER)], free_bytes=SIZE)
    written.set()
    tending.join()
    assert heard == [True]
    # What was said meanwhile is not written over by what was made.
    machine.volumes.converge()
    assert (machine.state(), machine.state(OTHER)) == (VolumeState.GONE, VolumeState.READY)


def test_a_kill_between_unmount_and_note_is_put_right(machine: Machine) -> None:
    machine.desire(wanted())
    target = machine.directory / str(ONE)
    machine.volumes.attach(ALICE, ONE)
    loops.unmount(target)
    machine.restart()
    machine.volumes.attach(ALICE, ONE)
    loops.unmount(target)
    machine.restart()
    machine.volumes.detach(ALICE)
    machine.desire(wanted(remove=True))
    assert (machine.state(), machine.left()) == (VolumeState.GONE, [])


def test_one_whose_file_is_lost_is_never_made_anew(machine: Machine) -> None:
    machine.desire(wanted())
    aside = machine.home / "aside"
    machine.file().rename(aside)
    assert machine.volumes.converge()
    (told,) = machine.volumes.observed()
    assert told.state is VolumeState.REFUSED
    assert told.problem is not None
    assert told.problem.code == "volume_lost"
    with pytest.raises(VolumeUnknown):
        machine.volumes.attach(ALICE, ONE)
    aside.rename(machine.file())
    machine.volumes.converge()
    assert machine.state() is VolumeState.READY


def test_what_is_not_its_own_stays(machine: Machine) -> None:
    strange = machine.directory / f"{OTHER}.img"
    strange.write_text("somebody's")
    machine.desire(wanted())
    machine.desire(wanted(remove=True))
    machine.volumes.remove_all()
    assert machine.left() == [str(strange)]


def test_a_host_that_leaves_takes_everything_along(machine: Machine) -> None:
    machine.desire(wanted(), wanted(OTHER))
    machine.volumes.attach(ALICE, ONE)
    machine.volumes.remove_all()
    assert machine.left() == []


def test_root_inside_owns_what_is_in_it(machine: Machine) -> None:
    machine.desire(wanted())
    told = machine.volumes.attach(ALICE, ONE, root_inside=Ids(231072, 231073)).stat()
    assert (told.st_uid, told.st_gid) == (231072, 231073)


def test_a_file_has_its_name_only_when_all_of_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, file = tmp_path / "one.part", tmp_path / "one.img"
    part.write_bytes(b"all of it")
    flushed: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: flushed.append((os.readlink(f"/proc/self/fd/{fd}"), file.exists()))
    )
    loops.name_whole(part, file)
    assert flushed == [(str(part), False), (str(tmp_path), True)]
    assert file.read_bytes() == b"all of it"
