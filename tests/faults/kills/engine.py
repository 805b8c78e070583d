"""Docker and the disk tools, as an agent sees them, in a process that outlives it.

It keeps the truth: what ran when, with what, and whose files were where. Whatever breaks a promise
is noted the moment it happens.
"""

import contextlib
import json
import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.kills.disks import KEEPSAKE, Disks, Refused

NEVER = "0001-01-01T00:00:00Z"
#: what the host lets renters use
IMAGES = ("berth-test-one", "berth-test-two")
#: a frame of what a container said
SAID = b"\x01\0\0\0\0\0\0\x04done"
#: what every job has below /input
INPUT = "asked"
#: how long Docker takes to start or stop something, and to remove it
TAKES_S, REMOVAL_TAKES_S = (0, 0, 0.001, 0.005, 0.02, 0.1), (0, 0.01, 0.05, 0.3)


@dataclass(slots=True)
class Life:
    """One start of a container, in ms of the machine's clock. None: it still runs."""

    start_ms: int
    end_ms: int | None = None


@dataclass(slots=True)
class Box:
    """A container."""

    id: str
    name: str
    config: dict[str, Any]
    layer: Path
    running: bool = False
    started_at: str = NEVER
    finished_at: str = NEVER
    exit_code: int = 0
    lives: list[Life] = field(default_factory=list)
    #: somebody else's
    foreign: bool = False
    #: held while it starts, and by whoever looks at it meanwhile
    busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.config.get("Labels") or {})

    @property
    def placement_id(self) -> UUID:
        return UUID(self.labels["berth.placement"])

    def holds(self) -> set[str]:
        """Return everything of the machine that this container alone may have."""
        host = self.config["HostConfig"]
        cores = [f"core {core}" for core in (host.get("CpusetCpus") or "").split(",") if core]
        ports = [
            f"port {one['HostPort']}"
            for bound in (host.get("PortBindings") or {}).values()
            for one in bound
        ]
        gpus = [
            f"GPU {one}" for asked in host.get("DeviceRequests") or () for one in asked["DeviceIDs"]
        ]
        network = host.get("NetworkMode", "none")
        volumes = [f"volume {folder.parent.name}" for folder in self.binds("volumes")]
        networks = [] if network == "none" else [f"network {network}"]
        return {*cores, *ports, *gpus, *volumes, *networks}

    def binds(self, kind: str) -> list[Path]:
        """Return the folders of this kind in the agent's home that it sees."""
        binds = self.config["HostConfig"].get("Binds") or ()
        paths = [Path(bind.split(":")[0]) for bind in binds]
        return [path for path in paths if path.parents[1].name == kind]


class Engine(Disks):
    """One machine's Docker and mounts; ``ask`` answers HTTP, ``run`` a disk tool's command."""

    def __init__(self, root: Path, chance: random.Random, *, now_ms: Callable[[], int]) -> None:
        super().__init__(root)
        self._chance, self.now_ms = chance, now_ms
        self.removal_takes_s: tuple[float, ...] = REMOVAL_TAKES_S
        self.boxes: dict[str, Box] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        self.images = {one["Id"]: one for one in map(_image, IMAGES)}
        self.starts = 0
        #: what else wants to know, with the renter's lines on the disk: found, left, or lost
        self.on_start: Callable[[UUID, list[str]], None] = lambda placement_id, kept: None
        self.on_started: Callable[[UUID, list[str]], None] = lambda placement_id, kept: None
        self.on_stop: Callable[[UUID], None] = lambda placement_id: None
        #: a volume, with its renter's lines on it: found and left
        self.on_volume: Callable[[UUID, list[str], list[str]], None] = lambda *told: None
        self.lives: dict[UUID, list[Life]] = {}
        self._made = 0

    # Docker

    def ask(self, method: str, path: str, query: dict[str, str], body: bytes) -> object:
        """Return what Docker answers; None: nothing but success."""
        with self._waiting(method, path):
            return self._answer(method, self._take_time(method, path), query, body)

    def _waiting(self, method: str, path: str) -> AbstractContextManager[object]:
        """Wait for a container that starts, as Docker lets who would start or inspect it.

        So who comes after an agent that was killed there sees the start, and not the time before.
        """
        match [method, *path.strip("/").split("/")]:
            case ["POST", "containers", name, "start"] | ["GET", "containers", name, "json"]:
                with self.lock, contextlib.suppress(Refused):
                    return self._box(name).busy
        return contextlib.nullcontext()

    def _answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> object:
        with self.lock:
            match [method, *path.strip("/").split("/")]:
                case ["GET", "version"]:
                    return {"ApiVersion": "1.41", "Version": "stand-in", "Components": []}
                case ["GET", "info"]:
                    return {"ServerVersion": "1", "Driver": "overlay2", "DockerRootDir": "/"}
                case ["GET", "containers", "json"]:
                    return [self._listed(box) for box in self._matching(query)]
                case ["POST", "containers", "create"]:
                    return self._create(query["name"], json.loads(body))
                case ["GET", "containers", _, "logs"]:
                    return SAID
                case ["GET", "containers", name, "json"]:
                    return self._inspected(self._box(name))
                case ["POST", "containers", name, "start"]:
                    return self._start(self._box(name))
                case ["POST", "containers", name, "stop" | "kill"]:
                    return self._stop(self._box(name))
                case ["DELETE", "containers", name]:
                    return self._remove(self._box(name))
                case ["GET", "networks"]:
                    wanted = _labels(query)
                    return [one for one in self.networks.values() if _has(one["Labels"], wanted)]
                case ["POST", "networks", "create"]:
                    return self._connect(json.loads(body))
                case ["DELETE", "networks", network_id]:
                    return self._disconnect(network_id)
                case ["GET", "images", "json"]:
                    wanted = _labels(query)
                    return [one for one in self.images.values() if _has(one["Labels"], wanted)]
                case ["GET", "images", *name, "json"]:
                    return self._image("/".join(name))
                case ["POST", "images", "load"]:
                    return self._load(body)
                case ["DELETE", "images", *name]:
                    self.images.pop("/".join(name), None)
                    return []
            raise Refused(501, f"the stand-in does not know {method} {path}")

    def _take_time(self, method: str, path: str) -> str:
        """Wait as Docker does, which goes on though whoever asked was killed meanwhile.

        Return the path with the container's id: a name may be another one's afterwards.
        """
        removes = method == "DELETE" and path.startswith("containers/")
        if not removes and not path.endswith(("/start", "/stop")):
            return path
        name = path.split("/")[1]
        with self.lock:
            box_id = self._box(name).id
        time.sleep(self._chance.choice(self.removal_takes_s if removes else TAKES_S))
        return path.replace(name, box_id)

    def die(self, placement_id: UUID) -> None:
        """Let a placement's own process end."""
        with self.lock:
            for box in self.boxes.values():
                if box.running and box.placement_id == placement_id:
                    self._end(box, exit_code=3)

    def _matching(self, query: dict[str, str]) -> list[Box]:
        wanted = _labels(query)
        return [box for box in self.boxes.values() if _has(box.labels, wanted)]

    def _box(self, name: str) -> Box:
        for box in self.boxes.values():
            if name in (box.id, box.name):
                return box
        raise Refused(404, f"No such container: {name}")

    def _create(self, name: str, config: dict[str, Any]) -> object:
        if any(box.name == name for box in self.boxes.values()):
            raise Refused(409, f"Conflict. The container name {name} is already in use")
        self._made += 1
        box_id = f"{self._made:064x}"
        layer = self.root / "overlay2" / box_id
        for folder in ("diff", "work"):
            (layer / folder).mkdir(parents=True)
        for note in ("link", "lower"):
            (layer / note).write_text(box_id)
        self.boxes[box_id] = Box(box_id, name, config, layer)
        return {"Id": box_id, "Warnings": []}

    def _start(self, box: Box) -> None:
        if box.running:
            raise Refused(304, "already started")
        holds = box.holds()
        for other in self.boxes.values():
            if not other.running or other.foreign:
                continue
            if other.placement_id == box.placement_id:
                self.broken.append(f"{box.name} starts while {other.name} runs")
            if both := holds & other.holds():
                self.broken.append(f"{box.name} and {other.name} have {sorted(both)}")
        if f"network {box.config['HostConfig'].get('NetworkMode')}" in holds:
            names = {one["Name"] for one in self.networks.values()}
            if box.config["HostConfig"]["NetworkMode"] not in names:
                raise Refused(404, "network not found")
        if str(box.layer) not in self.mounts:
            self.broken.append(f"{box.name} starts without the disk that limits it")
        if (box.layer / "link").read_text() != box.id:
            self.broken.append(f"{box.name} starts on the layers of another container")
        self.find_losses()
        keepsake = box.layer / "diff" / KEEPSAKE
        kept = keepsake.read_text().splitlines() if keepsake.exists() else []
        self.on_start(box.placement_id, kept)
        self.starts += 1
        kept.append(f"start {self.starts}")
        keepsake.write_text("".join(f"{line}\n" for line in kept))
        self.on_started(box.placement_id, kept)
        self._use_belongings(box)
        (box.layer / "work" / "left").mkdir(exist_ok=True)
        box.running, box.exit_code, box.finished_at = True, 0, NEVER
        box.started_at = _moment(self.now_ms())
        life = Life(self.now_ms())
        box.lives.append(life)
        self.lives.setdefault(box.placement_id, []).append(life)

    def _use_belongings(self, box: Box) -> None:
        for folder in box.binds("volumes"):
            keepsake = folder / KEEPSAKE
            found = keepsake.read_text().splitlines() if keepsake.exists() else []
            left = [*found, f"start {self.starts}"]
            keepsake.write_text("".join(f"{line}\n" for line in left))
            self.on_volume(UUID(folder.parent.name), found, left)
        for folder in box.binds("jobs"):
            if folder.name == "input" and not (folder / INPUT).exists():
                self.broken.append(f"{box.name} starts without its input")
            if folder.name == "output" and str(folder) not in self.mounts:
                self.broken.append(f"{box.name} leaves its outputs beside its own disk")

    def _stop(self, box: Box) -> None:
        if box.foreign:
            self.broken.append(f"{box.name} is stopped and is not the agent's")
            return
        if not box.running:
            raise Refused(304, "already stopped")
        self.on_stop(box.placement_id)
        self._end(box, exit_code=0)

    def _end(self, box: Box, *, exit_code: int) -> None:
        box.running, box.exit_code = False, exit_code
        now_ms = self.now_ms()
        box.lives[-1].end_ms, box.finished_at = now_ms, _moment(now_ms)

    def _remove(self, box: Box) -> None:
        if box.foreign:
            self.broken.append(f"{box.name} is removed and is not the agent's")
        if box.running:
            self._stop(box)
        # What is mounted there is emptied with it: that is how Docker removes a layer.
        self._lose(box.placement_id, box.layer / "diff" / KEEPSAKE)
        for inner in box.layer.iterdir():
            shutil.rmtree(inner) if inner.is_dir() else inner.unlink()
        if str(box.layer) in self.mounts:
            self._unmount(str(box.layer))
        shutil.rmtree(box.layer)
        del self.boxes[box.id]

    def _connect(self, asked: dict[str, Any]) -> object:
        subnet = asked["IPAM"]["Config"][0]["Subnet"]
        if any(one["IPAM"]["Config"][0]["Subnet"] == subnet for one in self.networks.values()):
            raise Refused(403, "Pool overlaps with other one on this address space")
        self._made += 1
        network_id = f"{self._made:064x}"
        self.networks[network_id] = {**asked, "Id": network_id}
        return {"Id": network_id}

    def _disconnect(self, network_id: str) -> None:
        network = self.networks.get(network_id)
        if network is None:
            raise Refused(404, "no such network")
        used = {
            box.config["HostConfig"].get("NetworkMode")
            for box in self.boxes.values()
            if box.running
        }
        if network["Name"] in used:
            raise Refused(403, "network has active endpoints")
        del self.networks[network_id]

    def _image(self, name: str) -> dict[str, Any]:
        for image in self.images.values():
            if name in (image["Id"], *image["RepoTags"]):
                return image
        raise Refused(404, f"No such image: {name}")

    def _load(self, body: bytes) -> object:
        # The archive names the one image in it; its bytes are not the stand-in's business.
        at = body.index(b".json")
        image_id = f"sha256:{body[at - 64 : at].decode()}"
        start = body.index(b"{", at)
        config = json.JSONDecoder().raw_decode(body[start:].decode(errors="replace"))[0]
        labels = (config.get("config") or {}).get("Labels") or {}
        self.images[image_id] = {**_image(""), "Id": image_id, "Labels": labels}
        return {"stream": "loaded"}

    def _listed(self, box: Box) -> dict[str, Any]:
        binds = box.config["HostConfig"].get("Binds") or ()
        return {
            "Id": box.id,
            "Names": [f"/{box.name}"],
            "Labels": box.labels,
            "Mounts": [{"Source": bind.split(":")[0]} for bind in binds],
        }

    def _inspected(self, box: Box) -> dict[str, Any]:
        state = {
            "Status": "running" if box.running else "exited",
            "Running": box.running,
            "StartedAt": box.started_at,
            "FinishedAt": box.finished_at,
            "ExitCode": box.exit_code,
            "OOMKilled": False,
            "Pid": 0,
        }
        layer = {"Data": {"UpperDir": str(box.layer / "diff")}}
        return {
            "Id": box.id,
            "Name": f"/{box.name}",
            "State": state,
            "Config": {**box.config, "Labels": box.labels},
            "HostConfig": box.config["HostConfig"],
            "GraphDriver": layer,
        }


def _image(name: str) -> dict[str, Any]:
    return {
        "Id": f"sha256:{name.encode().hex():0>64}",
        "RepoTags": [name] if name else [],
        "Architecture": "amd64",
        "Os": "linux",
        "RootFS": {"Layers": []},
        "Config": {"Env": [], "Entrypoint": None, "Cmd": ["run"], "WorkingDir": ""},
        "Labels": {},
        "Created": NEVER,
        "Size": 1,
    }


def _labels(query: dict[str, str]) -> dict[str, str]:
    wanted = json.loads(query.get("filters", "{}")).get("label", [])
    return dict(label.split("=", 1) for label in wanted)


def _has(labels: dict[str, str] | None, wanted: dict[str, str]) -> bool:
    return all((labels or {}).get(name) == value for name, value in wanted.items())


def _moment(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z"
