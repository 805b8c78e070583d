"""The access kit and a rental's door, as files."""

import hashlib
import stat
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from miner_agent.access import kit
from miner_agent.access.kit import KitMissing, build, prune
from miner_agent.access.rental import Doors
from protocol.signing import machine_key_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF+mYggHDNvUJSPm6q9qP9h/Vv/OGJ651jLk2FXAx5O+ me"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("kits"))


def test_a_kit_is_built_once_and_holds_every_program(built: Path) -> None:
    before = built.stat().st_ctime_ns
    assert build(built.parent) == built
    assert built.stat().st_ctime_ns == before
    assert [path.name for path in built.parent.iterdir()] == [built.name]
    for program in ("sshd", "sftp-server", "init", "sh", "busybox", "bin/scp", "bin/rsync"):
        assert (built / program).stat().st_mode & stat.S_IXOTH


def test_the_same_parts_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    again = build(tmp_path)
    assert again.name == built.name
    assert contents(again) == contents(built)
    assert "session.so" in {path.name for path in contents(again)}


def contents(kit: Path) -> dict[Path, tuple[int, bytes]]:
    """Return the mode and the bytes of everything in a kit."""
    return {
        path.relative_to(kit): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in kit.rglob("*")
    }


def test_a_kit_that_is_there_needs_nothing_to_build_one(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit, "COMPILERS", ())
    assert kit.missing() == ("musl-tools",)
    assert build(built.parent) == built
    with pytest.raises(KitMissing, match="musl-tools"):
        build(built.parent / "other")


def test_another_library_makes_another_kit_and_says_of_what(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = next(built.glob("lib/libcrypto.so.*"))
    newer = tmp_path / known.name
    newer.write_bytes(known.read_bytes() + b"a security update")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    other = build(tmp_path / "kits")
    assert other.name != built.name
    assert (other / "lib" / newer.name).read_bytes() == newer.read_bytes()
    parts = (other / kit.PARTS).read_text()
    assert hashlib.sha256(parts.encode()).hexdigest().startswith(other.name)
    assert f"{hashlib.sha256(newer.read_bytes()).hexdigest()} {newer}\n" in parts


def test_every_library_that_a_program_of_the_kit_needs_is_inside(built: Path) -> None:
    for program in ("sshd", "sftp-server", "bin/scp", "bin/rsync"):
        needed = subprocess.run(
            ["patchelf", "--print-needed", built / program],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("session.so" in needed.stdout.split()) is (program == "sshd")
        for library in needed.stdout.split():
            assert (built / "lib" / library).exists(), f"{program} needs {library}"


def test_pid_one_is_static(built: Path) -> None:
    content = (built / "init").read_bytes()
    assert content[:4] == b"\x7fELF"
    assert b"/lib/ld" not in content


def test_what_is_not_installed_is_named_by_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kit.PROGRAMS, "sshd", ("/nowhere/sshd", "openssh-server"))
    with pytest.raises(KitMissing, match=r"packages first: openssh-server\."):
        build(tmp_path)


def test_only_kits_that_nothing_uses_are_removed(tmp_path: Path) -> None:
    old, used, half, foreign = (
        tmp_path / name for name in ("0123456789abcdef", "fedcba9876543210", "part-x1", "notes")
    )
    for path in (old, used, half, foreign):
        (path / "lib").mkdir(parents=True)
    prune(tmp_path, used={str(used)})
    assert sorted(tmp_path.iterdir()) == [used, foreign]
    prune(tmp_path / "nothing", used=())


def test_a_door_keeps_its_host_key_and_changes_its_guests(tmp_path: Path) -> None:
    doors, placement_id = Doors(tmp_path / "doors"), uuid4()
    doors.write(placement_id, keys=(KEY,), environment={"A": "1"})
    first = doors.host_key(placement_id)
    assert len(machine_key_of(first)) == 64
    path = doors.path(placement_id)
    assert stat.S_IMODE((path / "hostkey").stat().st_mode) == 0o600
    assert (path / "authorized_keys").read_text() == f"{KEY}\n"
    doors.rekey(placement_id, ())
    assert (path / "authorized_keys").read_text() == ""
    doors.write(placement_id, keys=(), environment={})
    assert doors.host_key(placement_id) == first
    assert doors.traces() == {placement_id}
    doors.remove(placement_id)
    doors.remove(placement_id)
    assert doors.traces() == frozenset()


def test_a_key_with_a_line_break_cannot_bring_a_second_key_in(tmp_path: Path) -> None:
    doors, placement_id = Doors(tmp_path / "doors"), uuid4()
    doors.write(placement_id, keys=(f"{KEY}\nssh-ed25519 BBBB",), environment={})
    lines = (doors.path(placement_id) / "authorized_keys").read_text().splitlines()
    assert lines == [f"{KEY} ssh-ed25519 BBBB"]
