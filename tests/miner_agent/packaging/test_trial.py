"""An upgrade killed at any of its lines leaves a service that runs a version that works."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from miner_agent.packaging import upgrade as module
from miner_agent.packaging import versions
from miner_agent.packaging.trial import STARTS_MOST, count_start
from miner_agent.packaging.upgrade import Service, UpgradeFailed, upgrade
from miner_agent.packaging.versions import FORMER, STARTS, named, passed

#: what an empty wheel is called
NEW = "e3b0c44298fc1c14"
FILES = {module.__file__, versions.__file__}


class Killed(BaseException):
    """The process dies here."""


class Host:
    """A machine whose service starts again whatever ends."""

    def __init__(self, root: Path, *, works: bool) -> None:
        self.root = root
        for version in ("old", NEW):
            (root / "versions" / version / "bin").mkdir(parents=True)
            (root / "versions" / version / "installed").touch()
            (root / "versions" / version / "bin" / "berth-agent").symlink_to("/bin/true")
        (root / "wheel").write_bytes(b"")
        (root / "current").symlink_to("versions/old")
        self.working = {"old", NEW} if works else {"old"}
        #: the version whose process lives; None: it has just ended
        self.runs: str | None = "old"
        self.heard_by = ""

    def start(self) -> None:
        """Start the service once, as its unit does."""
        if (self.root / FORMER).is_symlink():
            count_start(self.root, can_go_back=True)
        version = named(self.root)
        assert version is not None
        self.runs = version.name if version.name in self.working else None
        if self.runs is not None:
            self.heard_by = str(version)
            passed(str(version))

    def upgrade(self) -> None:
        service = Service(self.start, lambda: self.heard_by, lambda: True, deadline_s=0)
        upgrade(self.root, self.root / "wheel", service)

    def reboot(self) -> None:
        """Let the service go on until something runs."""
        self.runs = None
        for _ in range(STARTS_MOST + 2):
            self.start()
            if self.runs is not None:
                return


@contextmanager
def killed_at(line: int) -> Iterator[None]:
    """Kill what runs at this line of all those of the upgrade that it comes to."""
    passed_lines = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal passed_lines
        if frame.f_code.co_filename not in FILES:
            return None
        passed_lines += event == "line"
        if passed_lines == line and event == "line":
            raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("works", [True, False])
def test_a_kill_at_any_line_leaves_a_version_that_works(tmp_path: Path, works: bool) -> None:
    for line in range(1, 1000):
        host = Host(tmp_path / str(line), works=works)
        try:
            with killed_at(line):
                host.upgrade()
        except Killed:
            pass
        except UpgradeFailed:
            break
        else:
            break
        version = named(host.root)
        assert version is not None
        assert (version / "installed").exists()
        host.reboot()
        assert host.runs is not None, line
        assert not (host.root / FORMER).is_symlink()
        if host.runs == "old":
            # Whoever asks again gets what the killed one would have made.
            with pytest.raises(UpgradeFailed) if not works else killed_at(0):
                host.upgrade()
        assert host.runs == (NEW if works else "old")
    assert 40 < line < 999
    assert host.runs == (NEW if works else "old")


def test_a_version_that_is_watched_by_nobody_is_taken_back_after_some_starts(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path, works=False)
    versions.try_out(tmp_path, tmp_path / "versions" / NEW, tmp_path / "versions" / "old")
    for _ in range(STARTS_MOST):
        host.start()
        assert host.runs is None
    assert not count_start(tmp_path, can_go_back=False)
    host.start()
    assert host.runs == "old"
    assert not (tmp_path / FORMER).is_symlink()
    assert not (tmp_path / STARTS).exists()


def test_the_old_version_that_is_heard_once_more_does_not_end_the_new_ones_trial(
    tmp_path: Path,
) -> None:
    Host(tmp_path, works=False)
    versions.try_out(tmp_path, tmp_path / "versions" / NEW, tmp_path / "versions" / "old")
    passed(str(tmp_path / "versions" / "old"))
    assert named(tmp_path, FORMER) == tmp_path / "versions" / "old"
