"""A word of Docker or of a tool that is over at the next try costs a moment, not the rental."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.kills.disks import Refused
from tests.faults.kills.field import Field

#: each of them says no when it is asked first
TOOLS = ("mkfs.ext4", "cp", "umount", "losetup")
BUSY = "device or resource busy"


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    root = Path(tempfile.mkdtemp(prefix="kills-", dir="/dev/shm"))
    field = Field(root, 1, ())
    yield field
    field.close()
    shutil.rmtree(root)


def test_a_rental_starts_though_every_tool_and_docker_say_no_at_first(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, left = field.engine, [*TOOLS, "start"]
    run, start = engine._run, engine._start

    def moody_run(command: list[str]) -> str:
        if command[0] in left:
            left.remove(command[0])
            raise Refused(500, f"{command[0]}: {BUSY}")
        return run(command)

    def moody_start(*told: object) -> None:
        if "start" in left:
            left.remove("start")
            raise Refused(500, f"OCI runtime start failed: {BUSY}")
        start(*told)

    monkeypatch.setattr(engine, "_run", moody_run)
    monkeypatch.setattr(engine, "_start", moody_start)
    field.market.start_quiet()
    field.settle()
    assert field.broken() == []
    assert left == []
    assert engine.starts == 1


def test_a_rental_whose_disk_is_taken_away_before_its_start_does_not_run_beside_it(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, taken = field.engine, []
    mount = engine._mount

    def mount_for_a_moment(file: str, point: str, content: Path | None) -> None:
        mount(file, point, content)
        if not taken and Path(point).parent.name == "overlay2":
            taken.append(point)
            engine._unmount(point)

    monkeypatch.setattr(engine, "_mount", mount_for_a_moment)
    before = engine.starts
    field.market.start_quiet()
    field.settle()
    assert field.broken() == []
    assert len(taken) == engine.starts - before == 1
