"""What a killed agent has left of a look at a disk goes with its placement."""

import shutil
from pathlib import Path
from uuid import UUID

import pytest

from miner_agent import disk, loops
from tests.faults.kills.disks import Disks as StandIn

PLACEMENT = UUID(int=1)


def test_a_look_goes_though_its_container_went_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn(tmp_path)
    for module in (disk, loops):
        monkeypatch.setattr(
            module, "run", lambda command, **how: stand_in.run([*map(str, command)])
        )
    monkeypatch.setattr(loops, "MOUNTS", stand_in.mountinfo)
    layer = tmp_path / "overlay2" / "layer"
    for folder in ("diff", "work"):
        (layer / folder).mkdir(parents=True)
    for note in disk.LAYER_NOTES:
        (layer / note).write_text("l/ABC")
    upper = str(layer / "diff")
    disks = disk.Disks(tmp_path / "agent" / "disks")
    disks.make(PLACEMENT, 0, upper=upper, size=1 << 20)
    disks.mount(PLACEMENT, 0, upper=upper)
    killed = disks.seen(PLACEMENT, 0, upper=upper)
    killed.__enter__()
    disks.unmount(upper)
    shutil.rmtree(layer)
    disks.remove(PLACEMENT)
    assert stand_in.mounts == {}
    assert disks.traces() == {}
