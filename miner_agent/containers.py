"""This will be the one doorway to Docker: images, networks and containers of this machine."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from docker.api import APIClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, IPAMConfig, IPAMPool, LogConfig, Ulimit

from miner_agent.domain.container_spec import (
    LABEL_MACHINE,
    LABEL_PLACEMENT,
    LABEL_SLOT,
    LABEL_SPEC,
    ContainerSpec,
    Image,
    NetworkSpec,
    spec_digest,
)
from miner_agent.domain.reconcile import Container
from protocol.agent import IMAGE_REFERENCE

CALL_DEADLINE_S = 60
PULL_DEADLINE_S = 1800
REMOVE_WAIT_S = 20
PROGRESS_EVERY_S = 0.25
UNKNOWN = re.compile(r"not found|manifest unknown|does not exist|name unknown|invalid reference")
PORT_TAKEN = re.compile(r"port is already allocated|address already in use")


class EngineUnavailable(Exception):
    """Docker does not answer; the same may work a little later."""


class EngineRefused(Exception):
    """Docker answered and said no."""


class ImageUnknown(Exception):
    """No registry has this image."""


class ImagePullFailed(Exception):
    """The image could not be fetched."""


class PortTaken(Exception):
    """Another program of this machine listens on the port."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    version: str
    storage_driver: str
    root: str
    security: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A container that exists: its id and, on overlay2, the directory that holds its files."""

    container_id: str
    upper: str | None


class Containers:
    """Docker, limited to the objects that carry this machine's label."""

    def __init__(self, *, machine: str, docker_host: str | None = None) -> None:
        self._machine = machine
        try:
            self._api = APIClient(
                base_url=docker_host or "unix:///var/run/docker.sock",
                version="auto",
                timeout=CALL_DEADLINE_S,
            )
        except (DockerException, OSError) as error:
            raise EngineUnavailable(f"Docker does not answer: {error}") from error

    def facts(self) -> EngineFacts:
        """Return what the engine says about itself."""
        with _answers():
            info: dict[str, Any] = self._api.info()
        return EngineFacts(
            version=str(info.get("ServerVersion", "")),
            storage_driver=str(info.get("Driver", "")),
            root=str(info.get("DockerRootDir", "")),
            security=tuple(info.get("SecurityOptions") or ()),
        )

    def image(self, reference: str, *, progress: Callable[[str], None]) -> Image:
        """Return the image, fetching it first where this machine has none of that name.

        :raises ImageUnknown: when the registry does not know it.
        :raises ImagePullFailed: when the registry cannot be reached or refuses.
        """
        # It becomes a part of the address that Docker is asked at.
        if not IMAGE_REFERENCE.fullmatch(reference):
            raise ImageUnknown(f"The image {reference} is not known: no image can have that name.")
        try:
            return self._local_image(reference)
        except NotFound:
            self._pull(reference, progress)
        except EngineRefused as error:
            raise _pull_error(reference, str(error)) from error
        try:
            return self._local_image(reference)
        except NotFound as error:
            raise ImagePullFailed(f"Docker lost the image {reference} after its pull.") from error

    def all(self) -> dict[UUID, Container]:
        """Return every container of this machine by its placement."""
        with _answers():
            listed = self._api.containers(all=True, filters=self._mine())
        found: dict[UUID, Container] = {}
        for one in listed:
            try:
                with _answers():
                    state = self._api.inspect_container(one["Id"])["State"]
            except NotFound:
                continue
            placement_id = UUID(one["Labels"][LABEL_PLACEMENT])
            found[placement_id] = _container(placement_id, state)
        return found

    def find(self, name: str, placement_id: UUID) -> Container | None:
        """Return one container, None where there is none."""
        try:
            with _answers():
                return _container(placement_id, self._api.inspect_container(name)["State"])
        except NotFound:
            return None

    def make(self, spec: ContainerSpec, *, placement_id: UUID) -> Made:
        """Create the container, or return the one already made from the same spec."""
        digest = spec_digest(spec)
        try:
            with _answers():
                found = self._api.inspect_container(spec.name)
            labels = found["Config"]["Labels"] or {}
            alive = found["State"]["Status"] not in ("removing", "dead")
            if labels.get(LABEL_SPEC) == digest and alive:
                return _made(found)
            self.remove(spec.name)
        except NotFound:
            pass
        labels = {
            LABEL_MACHINE: self._machine,
            LABEL_PLACEMENT: str(placement_id),
            LABEL_SPEC: digest,
        }
        with _answers():
            self._api.create_container(**_create_arguments(self._api, spec, labels))
            return _made(self._api.inspect_container(spec.name))

    def start(self, name: str) -> None:
        """Start a container that was made.

        :raises PortTaken: when its port on the machine cannot be had.
        """
        try:
            with _answers():
                self._api.start(name)
        except EngineRefused as error:
            if PORT_TAKEN.search(str(error)):
                raise PortTaken(str(error)) from error
            raise

    def remove(self, name: str) -> None:
        """Remove a container and wait until it is gone; one that is not there is fine."""
        deadline = time.monotonic() + REMOVE_WAIT_S
        while True:
            try:
                with _answers():
                    self._api.remove_container(name, force=True, v=True)
                return
            except NotFound:
                return
            except EngineRefused:
                # Docker answers 409 while another call removes the same container.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def connect(self, spec: NetworkSpec) -> None:
        """Make the slot's network where it is missing; Docker allows doubles, so look first."""
        with _answers():
            same = [one for one in self._networks() if one["Name"] == spec.name]
            for extra in same[1:]:
                self._api.remove_network(extra["Id"])
            if same:
                return
            self._api.create_network(
                spec.name,
                driver="bridge",
                check_duplicate=True,
                labels={LABEL_MACHINE: self._machine, LABEL_SLOT: str(spec.slot)},
                options={
                    "com.docker.network.bridge.name": spec.bridge,
                    "com.docker.network.bridge.enable_icc": "false",
                },
                ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=spec.subnet, gateway=spec.gateway)]),
            )

    def disconnect(self, *, slots_kept: int, slots_used: frozenset[int]) -> None:
        """Remove the networks of unused slots at or above the pool's size ``slots_kept``."""
        for network in self._networks():
            slot = int(network["Labels"][LABEL_SLOT])
            if slot < slots_kept or slot in slots_used:
                continue
            try:
                with _answers():
                    self._api.remove_network(network["Id"])
            except NotFound:
                continue

    def _networks(self) -> list[dict[str, Any]]:
        with _answers():
            listed = self._api.networks(filters=self._mine())
        return [one for one in listed if LABEL_SLOT in (one.get("Labels") or {})]

    def _mine(self) -> dict[str, str]:
        return {"label": f"{LABEL_MACHINE}={self._machine}"}

    def _local_image(self, reference: str) -> Image:
        with _answers():
            found = self._api.inspect_image(reference)
        config = found["Config"]
        pairs = (line.partition("=") for line in config.get("Env") or ())
        return Image(
            image_id=found["Id"],
            environment={name: value for name, _, value in pairs},
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
        )

    def _pull(self, reference: str, progress: Callable[[str], None]) -> None:
        name, _, tag = (
            reference.rpartition(":") if _has_tag(reference) else (reference, "", "latest")
        )
        deadline = time.monotonic() + PULL_DEADLINE_S
        layers: dict[str, tuple[int, int]] = {}
        shown_at = time.monotonic()
        progress("asking the registry for the image")
        try:
            with _answers():
                tag_or_none = None if "@" in reference else tag
                lines = self._api.pull(name, tag=tag_or_none, stream=True, decode=True)
                for line in lines:
                    if "error" in line:
                        raise EngineRefused(str(line["error"]))
                    _note_layer(layers, line)
                    done = sum(current for current, _ in layers.values())
                    total = sum(size for _, size in layers.values())
                    if time.monotonic() - shown_at > PROGRESS_EVERY_S:
                        progress(f"pulling {100 * done // total} %" if total else "pulling")
                        shown_at = time.monotonic()
                    if time.monotonic() > deadline:
                        raise EngineRefused(f"it took longer than {PULL_DEADLINE_S} s")
        except (EngineRefused, ImageNotFound, NotFound) as error:
            raise _pull_error(reference, str(error)) from error


def _has_tag(reference: str) -> bool:
    return "@" not in reference and ":" in reference.rpartition("/")[2]


def _pull_error(reference: str, answer: str) -> ImageUnknown | ImagePullFailed:
    answer = " ".join(answer.split())[:500]
    if UNKNOWN.search(answer.lower()):
        return ImageUnknown(f"The image {reference} is not known; the registry answered: {answer}")
    return ImagePullFailed(
        f"The image {reference} could not be pulled; the registry answered: {answer}"
    )


def _note_layer(layers: dict[str, tuple[int, int]], line: dict[str, Any]) -> None:
    detail = line.get("progressDetail") or {}
    if line.get("status") == "Downloading" and detail.get("total"):
        layers[str(line.get("id"))] = (int(detail.get("current", 0)), int(detail["total"]))


def _container(placement_id: UUID, state: dict[str, Any]) -> Container:
    running = bool(state["Running"])
    started, finished = _time(state["StartedAt"]), _time(state["FinishedAt"])
    lasted_ms = None
    if not running and started and finished and finished >= started:
        lasted_ms = int((finished - started).total_seconds() * 1000)
    return Container(
        placement_id=placement_id,
        running=running,
        token=state["StartedAt"],
        exit_code=None if running else int(state["ExitCode"]),
        lasted_ms=lasted_ms,
    )


def _time(text: str) -> datetime | None:
    """Read Docker's time; its nanoseconds are cut, year 1 means never."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?", text)
    if match is None or text.startswith("0001"):
        return None
    return datetime.fromisoformat(f"{match[1]}{(match[2] or '.0').ljust(7, '0')}+00:00")


def _made(found: dict[str, Any]) -> Made:
    data = (found.get("GraphDriver") or {}).get("Data") or {}
    return Made(container_id=found["Id"], upper=data.get("UpperDir"))


def _create_arguments(api: Any, spec: ContainerSpec, labels: dict[str, str]) -> dict[str, Any]:
    host_config = api.create_host_config(
        binds={outside: {"bind": path, "mode": "ro"} for outside, path in spec.mounts.items()},
        cap_drop=["ALL"],
        cap_add=list(spec.capabilities),
        security_opt=["no-new-privileges:true"],
        pids_limit=spec.pids_most,
        mem_limit=spec.memory_bytes,
        memswap_limit=spec.memory_bytes,
        cpuset_cpus=",".join(map(str, spec.cores)),
        shm_size=spec.shared_memory_bytes,
        ulimits=[
            Ulimit(name="nofile", soft=spec.open_files_most, hard=spec.open_files_most),
            Ulimit(name="core", soft=0, hard=0),
        ],
        ipc_mode="private",
        init=False,
        network_mode=spec.network,
        # The agent starts containers itself: after a reboot the disk must be mounted first.
        restart_policy={"Name": "no"},
        log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"}),
        port_bindings={f"{spec.port_inside}/tcp": (spec.bind_address, spec.port)},
        dns=list(spec.dns) or None,
        device_requests=_device_requests(spec),
    )
    host_config["CgroupnsMode"] = "private"
    return {
        "image": spec.image_id,
        "name": spec.name,
        "hostname": "rental",
        "user": "0",
        "entrypoint": list(spec.entrypoint),
        "command": list(spec.command) or None,
        "environment": dict(spec.environment),
        "ports": [spec.port_inside],
        "labels": labels,
        "host_config": host_config,
    }


def _device_requests(spec: ContainerSpec) -> list[Any] | None:
    """Ask for exactly these GPUs; a mere count would always hand out the first ones."""
    if not spec.gpu_uuids:
        return None
    uuids = list(spec.gpu_uuids)
    return [DeviceRequest(driver="nvidia", device_ids=uuids, capabilities=[["gpu"]])]


@contextmanager
def _answers() -> Iterator[None]:
    """Translate the library's errors: what is missing stays NotFound."""
    try:
        yield
    except NotFound:
        raise
    except APIError as error:
        raise EngineRefused(str(error.explanation or error)) from error
    except (DockerException, OSError) as error:
        raise EngineUnavailable(f"Docker does not answer: {error}") from error
