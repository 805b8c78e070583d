"""This will make, start and remove the networks and containers of this machine's rentals."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool

from miner_agent.container_arguments import create_arguments
from miner_agent.domain.container_spec import (
    LABEL_GENERATION,
    LABEL_MACHINE,
    LABEL_PLACEMENT,
    LABEL_SLOT,
    ContainerSpec,
    NetworkSpec,
)
from miner_agent.domain.reconcile import Container
from miner_agent.domain.root_inside import Ids
from miner_agent.engine import Engine, EngineRefused, answers
from miner_agent.gpu_access import GpuUnavailable

REMOVE_WAIT_S = 20
#: PID 1 gives the programs inside half of this to end by themselves
STOP_WAIT_S = 10
PORT_TAKEN = re.compile(r"(?::(\d+)\D{0,9})?(?:port is already allocated|address already in use)")
NOT_RUNNING = "is not running"
#: NVIDIA's hook or Docker's own way to devices said no
GPU_REFUSED = re.compile(r"select device driver|nvidia-container|CDI device", re.IGNORECASE)


class PortTaken(Exception):
    """Another program of this machine listens on the port; None: Docker does not say which."""

    def __init__(self, message: str, port: int | None = None) -> None:
        super().__init__(message)
        self.port = port


@dataclass(frozen=True, slots=True)
class Made:
    """A container that exists: its id and, on overlay2, the directory that holds its files."""

    container_id: str
    upper: str | None


class Containers:
    """Docker, limited to the objects that carry this machine's label."""

    def __init__(self, engine: Engine, *, machine: str) -> None:
        self._engine = engine
        self._machine = machine
        #: a network is looked for and made, or found unused and removed, one at a time
        self._networking = threading.Lock()

    def all(self) -> tuple[Container, ...]:
        """Return every container of this machine."""
        with answers():
            listed = self._engine.api.containers(all=True, filters=self._mine())
        found: list[Container] = []
        for one in listed:
            try:
                with answers():
                    state = self._engine.api.inspect_container(one["Id"])["State"]
            except NotFound:
                continue
            if _placement(one["Labels"]) is not None:
                found.append(_container(one["Labels"], state))
        return tuple(found)

    def root_inside(self) -> Ids:
        """Return whom root inside a container acts as on this machine."""
        return self._engine.facts().root_inside

    def find(self, name: str) -> Container | None:
        """Return one container, None where there is none that could be started."""
        found = self._inspect(name)
        return None if found is None else _container(found["Config"]["Labels"], found["State"])

    def process_ids(self) -> tuple[int, ...]:
        """Return the first process of every container of this machine that runs."""
        with answers():
            listed = self._engine.api.containers(filters=self._mine())
        found = (self.process_id(one["Id"]) for one in listed)
        return tuple(number for number in found if number)

    def process_id(self, name: str) -> int:
        """Return the number of a container's first process on this machine, 0 where none runs."""
        found = self._inspect(name)
        return 0 if found is None else int(found["State"]["Pid"])

    def made(self, name: str) -> Made | None:
        """Return the container made earlier, None where there is none."""
        found = self._inspect(name)
        return None if found is None else _made(found)

    def made_for(self, placement_id: UUID) -> dict[str, tuple[int | None, Made]]:
        """Return name, generation and place of every container of a placement."""
        filters = {"label": [*self._mine()["label"], f"{LABEL_PLACEMENT}={placement_id}"]}
        with answers():
            listed = self._engine.api.containers(all=True, filters=filters)
        found = {}
        for one in listed:
            try:
                with answers():
                    inspected = self._engine.api.inspect_container(one["Id"])
            except NotFound:
                continue
            found[one["Id"]] = (_generation(one["Labels"]), _made(inspected))
        return found

    def make(self, spec: ContainerSpec, *, placement_id: UUID, generation: int) -> Made:
        """Create the container in place of any other of its name."""
        self.remove(spec.name)
        labels = {
            LABEL_MACHINE: self._machine,
            LABEL_PLACEMENT: str(placement_id),
            LABEL_GENERATION: str(generation),
        }
        with answers():
            self._engine.api.create_container(**create_arguments(self._engine.api, spec, labels))
            return _made(self._engine.api.inspect_container(spec.name))

    def start(self, name: str) -> None:
        """Start a container that was made.

        :raises PortTaken: when its port on the machine cannot be had.
        :raises GpuUnavailable: when its GPUs cannot.
        """
        try:
            with answers():
                self._engine.api.start(name)
        except EngineRefused as error:
            taken = PORT_TAKEN.search(str(error))
            if taken is not None:
                raise PortTaken(str(error), int(taken[1]) if taken[1] else None) from error
            if GPU_REFUSED.search(str(error)):
                raise GpuUnavailable(str(error)) from error
            raise

    def log(self, name: str, *, stream: str, bytes_most: int) -> bytes:
        """Return the end of what a container said on ``stdout`` or ``stderr``."""
        end = b""
        try:
            with answers():
                told = self._engine.api.logs(
                    name, stdout=stream == "stdout", stderr=stream == "stderr", stream=True
                )
                for chunk in told:
                    end = (end + chunk)[-bytes_most:]
        except NotFound:
            return b""
        return end

    def said(self, name: str, *, lines_most: int) -> bytes | None:
        """Return the newest lines that a container said, with times, in Docker's frames.

        None: there is none of this name that carries this machine's label.
        """
        if not self._is_mine(name):
            return None
        try:
            return self._engine.log(name, lines_most=lines_most)
        except NotFound:
            return None

    def address(self, name: str) -> str | None:
        """Return a container's address in its network, None where it has none now."""
        found = self._inspect(name)
        networks = {} if found is None else found["NetworkSettings"]["Networks"]
        return next((one["IPAddress"] for one in networks.values() if one["IPAddress"]), None)

    def stop(self, name: str) -> None:
        """Let a container end, by force if it takes long; one that is not there is fine.

        So is one that does not carry this machine's label, whatever its name is.
        """
        if not self._is_mine(name):
            return
        try:
            with answers():
                self._engine.api.stop(name, timeout=STOP_WAIT_S)
        except NotFound:
            return

    def signal(self, name: str, signal: str) -> None:
        """Send PID 1 a signal; a container that does not run, or is not there, is fine."""
        if not self._is_mine(name):
            return
        try:
            with answers():
                self._engine.api.kill(name, signal=signal)
        except NotFound:
            return
        except EngineRefused as error:
            if NOT_RUNNING not in str(error):
                raise

    def remove(self, name: str) -> None:
        """Remove a container and wait until it is gone; one that is not there is fine.

        One that does not carry this machine's label is not this agent's, whatever its name is.
        """
        if not self._is_mine(name):
            return
        deadline = time.monotonic() + REMOVE_WAIT_S
        while True:
            try:
                with answers():
                    self._engine.api.remove_container(name, force=True, v=True)
                return
            except NotFound:
                return
            except EngineRefused:
                # Docker answers 409 while another call removes the same container.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def mounted(self, *, running: bool = False) -> frozenset[str]:
        """Return every path of this machine that one of its containers has inside.

        ``running``: that one which runs now has.
        """
        with answers():
            listed = self._engine.api.containers(all=not running, filters=self._mine())
        return frozenset(
            mount["Source"] for one in listed for mount in one["Mounts"] if "Source" in mount
        )

    def connect(self, spec: NetworkSpec) -> None:
        """Make the slot's network where it is missing; Docker allows doubles, so look first."""
        with self._networking, answers():
            there = [one for one in self._networks() if one["Labels"][LABEL_SLOT] == str(spec.slot)]
            same = [one for one in there if one["Name"] == spec.name]
            # The slot's network for another kind of placement has the same addresses.
            for extra in there:
                if extra not in same[:1]:
                    self._engine.api.remove_network(extra["Id"])
            if same:
                return
            self._engine.api.create_network(
                spec.name,
                driver="bridge",
                check_duplicate=True,
                labels={LABEL_MACHINE: self._machine, LABEL_SLOT: str(spec.slot)},
                options={
                    "com.docker.network.bridge.name": spec.bridge,
                    "com.docker.network.bridge.enable_icc": "false",
                },
                internal=spec.internal,
                ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=spec.subnet, gateway=spec.gateway)]),
            )

    def disconnect(self, *, slots_kept: int, slots_used: Callable[[], frozenset[int]]) -> None:
        """Remove the networks of unused slots at or above the pool's size ``slots_kept``.

        ``slots_used`` is asked while no slot can be connected: who connects has claimed before.
        """
        with self._networking:
            kept = slots_used()
            for network in self._networks():
                slot = int(network["Labels"][LABEL_SLOT])
                if slot < slots_kept or slot in kept:
                    continue
                try:
                    with answers():
                        self._engine.api.remove_network(network["Id"])
                except NotFound:
                    continue

    def _inspect(self, name: str) -> dict[str, Any] | None:
        """Return what Docker knows of a container; None where it is gone or about to be."""
        try:
            with answers():
                found: dict[str, Any] = self._engine.api.inspect_container(name)
        except NotFound:
            return None
        is_leaving = found["State"]["Status"] in ("removing", "dead")
        return found if self._has_label(found) and not is_leaving else None

    def _is_mine(self, name: str) -> bool:
        try:
            with answers():
                return self._has_label(self._engine.api.inspect_container(name))
        except NotFound:
            return False

    def _has_label(self, found: dict[str, Any]) -> bool:
        return (found["Config"]["Labels"] or {}).get(LABEL_MACHINE) == self._machine

    def _networks(self) -> list[dict[str, Any]]:
        with answers():
            listed = self._engine.api.networks(filters=self._mine())
        return [one for one in listed if LABEL_SLOT in (one.get("Labels") or {})]

    def _mine(self) -> dict[str, list[str]]:
        return {"label": [f"{LABEL_MACHINE}={self._machine}"]}


def _generation(labels: dict[str, str]) -> int | None:
    text = labels.get(LABEL_GENERATION, "")
    return int(text) if text.isdecimal() else None


def _placement(labels: dict[str, str]) -> UUID | None:
    """Return whose container it is, None where its label names nobody."""
    try:
        return UUID(labels.get(LABEL_PLACEMENT, ""))
    except ValueError:
        return None


def _container(labels: dict[str, str], state: dict[str, Any]) -> Container:
    running = bool(state["Running"])
    started, finished = _time(state["StartedAt"]), _time(state["FinishedAt"])
    lasted_ms = None
    if not running and started and finished and finished >= started:
        lasted_ms = int((finished - started).total_seconds() * 1000)
    return Container(
        placement_id=UUID(labels[LABEL_PLACEMENT]),
        generation=_generation(labels),
        running=running,
        # Docker's time of a start that never was is in the year 1.
        token=state["StartedAt"] if started else "",
        exit_code=None if running else int(state["ExitCode"]),
        lasted_ms=lasted_ms,
        pid=int(state.get("Pid") or 0),
        oom_killed=not running and bool(state.get("OOMKilled")),
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
