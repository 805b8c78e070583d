"""This will run the prover in a container that can reach nothing, and throw it away."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound, NotFound
from docker.types import LogConfig, Ulimit

from miner_agent.container_arguments import device_requests
from miner_agent.domain.gpus import GpuAccess
from miner_agent.engine import Engine, EngineRefused, answers
from miner_agent.gpu_access import GpuDoor
from miner_agent.proof_image import ProofImage, Runs
from miner_agent.scratch import Scratch

#: not the label of placements: nothing takes it for one
LABEL = "berth.proof"
#: the overflow user, whom nothing belongs to
USER = 65534
SCRATCH_INSIDE = "/scratch"
HOST_NAME = "proof"
PIDS_MOST = 2048
OPEN_FILES_MOST = 4096
TEMPORARY_BYTES = 16 << 20
#: beside what the prover fills: its processes, and its own program
OWN_BYTES = 128 << 20
#: processor seconds that one process of a proof may use, also where no agent is left to end it
CPU_S_MOST = 600
#: the kernel ends a proof before anything else of the machine
FIRST_TO_DIE = 1000
WAIT_S = 10


@dataclass(frozen=True, slots=True)
class Room:
    """What a proof runs on."""

    cores: Sequence[int]
    gpu_uuids: Sequence[str]
    #: that it may fill
    memory_bytes: int


class DockerProofContainer:
    """The one container of this kind that a machine has at a time."""

    def __init__(
        self,
        engine: Engine,
        *,
        machine: str,
        gpus: GpuDoor,
        image: ProofImage,
        scratch: Scratch,
    ) -> None:
        self._engine = engine
        self._scratch = scratch
        self._machine = machine
        self._gpus = gpus
        self._image = image
        self._name = f"berth-proof-{machine}"

    def start(self, room: Room) -> socket.socket:
        """Start a prover and return its line: what is written there, it reads.

        What it says comes back in Docker's frames.

        :raises ImageFailed, EngineRefused, EngineUnavailable: when it cannot be started.
        """
        self.remove()
        try:
            return self._start(room, self._image.ready())
        except ImageNotFound:
            # Another agent on this engine, of another version, has just thrown it away as old.
            self._scratch.close()
        try:
            return self._start(room, self._image.ready())
        except ImageNotFound as error:
            self._scratch.close()
            raise EngineRefused("Another agent on this engine removes this one's image.") from error

    def _start(self, room: Room, runs: Runs) -> socket.socket:
        scratch = self._scratch.open(USER)
        limits = [
            f"--memory-bytes={room.memory_bytes}",
            f"--cpu-s={CPU_S_MOST}",
            f"--cores={','.join(map(str, room.cores))}",
            *(["--gpus"] if room.gpu_uuids else []),
            *([f"--scratch={SCRATCH_INSIDE}"] if scratch is not None else []),
        ]
        with answers():
            api = self._engine.api
            api.create_container(
                image=runs.image_id,
                name=self._name,
                hostname=HOST_NAME,
                user=f"{USER}:{USER}",
                working_dir="/",
                stdin_open=True,
                command=[*runs.command, *limits],
                labels={LABEL: self._machine},
                use_config_proxy=False,
                **self._surroundings(room, scratch),
            )
            # Before the start: the first word of it may come at once.
            attached = api.attach_socket(self._name, {"stdin": 1, "stdout": 1, "stream": 1})
            line = socket.socket(fileno=os.dup(attached.fileno()))
            attached.close()
            api.start(self._name)
        return line

    def status(self) -> int:
        """Return the exit status of the prover, which has ended or is about to; -1: unknown."""
        try:
            with answers():
                return int(self._engine.api.wait(self._name, timeout=WAIT_S)["StatusCode"])
        except NotFound:
            return -1

    def remove(self) -> None:
        """Kill and remove it; one that is not there, or is somebody else's, is fine."""
        try:
            with answers():
                found = self._engine.api.inspect_container(self._name)
                if (found["Config"]["Labels"] or {}).get(LABEL) == self._machine:
                    self._engine.api.remove_container(found["Id"], force=True, v=True)
        except NotFound:
            pass
        self._scratch.close()

    def _surroundings(self, room: Room, scratch: Path | None) -> dict[str, Any]:
        """Return all that the container has and may do."""
        granted = self._gpus.alone(room.gpu_uuids)
        by_hook = granted.devices if granted.access is GpuAccess.NVIDIA else ()
        limit = room.memory_bytes + OWN_BYTES
        host_config = self._engine.api.create_host_config(
            read_only=True,
            binds={} if scratch is None else {str(scratch): {"bind": SCRATCH_INSIDE, "mode": "rw"}},
            tmpfs={"/tmp": f"size={TEMPORARY_BYTES},mode=1777"},  # noqa: S108 -- inside
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            pids_limit=PIDS_MOST,
            mem_limit=limit,
            memswap_limit=limit,
            oom_score_adj=FIRST_TO_DIE,
            cpuset_cpus=",".join(map(str, room.cores)),
            shm_size=TEMPORARY_BYTES,
            ulimits=[
                Ulimit(name="nofile", soft=OPEN_FILES_MOST, hard=OPEN_FILES_MOST),
                Ulimit(name="core", soft=1, hard=1),
            ],
            ipc_mode="private",
            init=False,
            network_mode="none",
            restart_policy={"Name": "no"},
            # What it says is for the validator alone.
            log_config=LogConfig(type="none"),
            device_requests=device_requests(granted),
        )
        host_config["CgroupnsMode"] = "private"
        return {
            "host_config": host_config,
            "environment": {
                "LC_ALL": "C.UTF-8",
                "NVIDIA_VISIBLE_DEVICES": ",".join(by_hook) or "void",
                "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
                "CUDA_CACHE_DISABLE": "1",
            },
        }
