"""What is not the agent's stays, however alike its name is, through starts, kills and the end."""

import json
import random
import shutil
import tempfile
from pathlib import Path
from uuid import UUID

import pytest

from miner_agent.containers import Containers
from miner_agent.domain.spare import Job, Share
from miner_agent.engine import Engine, EngineRefused
from miner_agent.gpu_access import GpuDoor
from miner_agent.idle_container import CORES, GPUS, LABEL, MEMORY, DockerIdleContainer
from miner_agent.mps import Mps
from tests.faults.kills.engine import IMAGES
from tests.faults.kills.field import Field

LABELS = (
    {},
    {"berth.machine": "another"},
    {"berth.placement": str(UUID(int=7))},
    {"berth.machine.backup": "yes", "berth.generation": "0"},
)
#: in the agent's own folders
FILES = ("notes.txt", f"{UUID(int=7)}.0.img.bak", f"{UUID(int=7).hex}.0.img", "a.0.img")
FOLDERS = ("lost+found", UUID(int=7).hex, f"{UUID(int=7)}.old")


@pytest.mark.parametrize("seed", range(2))
def test_foreign_objects_alike_in_name_stay(seed: int) -> None:
    root = Path(tempfile.mkdtemp(prefix="kills-", dir="/dev/shm"))
    field = Field(root, seed, ())
    try:
        chance = random.Random(seed)
        for _ in range(3):
            field.market.start_quiet()
        own = list(field.market.orders)
        foreign = {
            *(f"berth-{one}{end}" for one in own for end in ("", "-00", "-1-old", "-7")),
            *(f"berth-{UUID(int=chance.getrandbits(128))}-0" for _ in range(4)),
            "berth",
            "berth-net",
        }
        for name in sorted(foreign):
            labels = chance.choice(LABELS)
            run(field, name, labels)
        networks = {f"berth-net-{name}-0" for name in ("another", "0123456789ab", "")}
        for number, name in enumerate(sorted(networks)):
            config = [{"Subnet": f"10.9.{number}.0/29"}]
            asked = {"Name": name, "Labels": {"berth.slot": "0"}, "IPAM": {"Config": config}}
            field.engine.ask("POST", "networks/create", {}, json.dumps(asked).encode())
        kept = [*(field.home / "disks" / name for name in FILES)]
        kept += [field.home / part / name for part in ("disks", "doors") for name in FOLDERS]
        for path in kept:
            path.parent.mkdir(exist_ok=True)
            path.touch() if path.name in FILES else path.mkdir()
        field.foreign |= set(kept)
        alike = root / "overlay2-of-somebody"
        field.foreign.add(alike)
        alike.mkdir()
        field.engine.mounts[str(alike)] = str(root / "foreign.img")
        field.engine.tell_mounts()

        for _ in range(30):
            field.kill_once()
        field.market.end_all()
        field.settle()
        assert field.broken() == []
        boxes = {box.name: box.running for box in field.engine.boxes.values()}
        assert boxes == dict.fromkeys(foreign, True)
        assert networks <= {one["Name"] for one in field.engine.networks.values()}
        assert [path for path in kept if not path.exists()] == []
        assert set(field.engine.mounts) == {str(alike)}
    finally:
        field.close()
        shutil.rmtree(root)


def test_somebody_elses_container_of_the_same_name_is_neither_used_nor_removed() -> None:
    root = Path(tempfile.mkdtemp(prefix="kills-", dir="/dev/shm"))
    field = Field(root, 1, ())
    try:
        field.market.start_quiet()
        (placement_id,) = field.market.orders
        name = f"berth-{placement_id}-0"
        run(field, name, {"berth.machine": "another", "berth.placement": str(placement_id)})
        field.settle()
        (given_up,) = field.market.broken
        assert "start_failed" in given_up
        assert field.engine.broken == []
        assert {box.name: box.running for box in field.engine.boxes.values()} == {name: True}
    finally:
        field.close()
        shutil.rmtree(root)


def test_what_has_the_name_alone_is_neither_stopped_nor_the_hosts_idle_work() -> None:
    root = Path(tempfile.mkdtemp(prefix="kills-", dir="/dev/shm"))
    field = Field(root, 1, ())
    engine = Engine(f"unix://{root}/docker.sock")
    share = Share(frozenset({0}), frozenset(), 1)
    try:
        door = GpuDoor(engine, mps=Mps(root / "mps", slots=1))
        idle = DockerIdleContainer(engine, machine="here", gpus=door)
        told = {CORES: "0", GPUS: "", MEMORY: "1"}
        for labels in (told, {**told, LABEL: "another"}, {"berth.machine": "here"}):
            run(field, "berth-idle-here", labels)
            assert idle.share() is None
            idle.remove()
            with pytest.raises(EngineRefused, match="already in use"):
                idle.start(Job(image=IMAGES[0], command=()), share)
            Containers(engine, machine="another").stop("berth-idle-here")
            assert field.engine.broken == []
            assert [box.running for box in field.engine.boxes.values()] == [True]
            field.engine.boxes.clear()
        run(field, "berth-idle-here", {**told, LABEL: "here"})
        assert idle.share() == share
    finally:
        engine.api.close()
        field.close()
        shutil.rmtree(root)


def run(field: Field, name: str, labels: dict[str, str]) -> None:
    """Let a container run that is not the agent's."""
    config = {"Image": IMAGES[0], "Labels": labels, "HostConfig": {"NetworkMode": "none"}}
    field.engine.ask("POST", "containers/create", {"name": name}, json.dumps(config).encode())
    box = next(box for box in field.engine.boxes.values() if box.name == name)
    box.running, box.foreign = True, True
