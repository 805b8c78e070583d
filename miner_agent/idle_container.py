"""This will make, find and remove the container of the host's own work."""

from typing import Any

from docker.errors import NotFound
from docker.types import LogConfig

from miner_agent.container_arguments import device_requests
from miner_agent.domain.spare import Job, Share
from miner_agent.engine import Engine, answers
from miner_agent.gpu_access import GpuDoor

#: not the label of placements: nothing takes it for one
LABEL = "berth.idle"
CORES, GPUS, MEMORY = (f"{LABEL}.{what}" for what in ("cores", "gpus", "memory"))
PIDS_MOST = 4096
#: the least that Docker takes: a placement that comes in between hardly notices
WEIGHT = 2


class DockerIdleContainer:
    """One container, whose labels say what it runs on."""

    def __init__(self, engine: Engine, *, machine: str, gpus: GpuDoor) -> None:
        self._engine = engine
        self._machine = machine
        self._gpus = gpus
        self._name = f"berth-idle-{machine}"

    def share(self) -> Share | None:
        """Return what it runs on; None where it does not run."""
        found = self._found()
        if found is None or not found["State"]["Running"]:
            return None
        labels = found["Config"]["Labels"]
        return Share(
            cores=frozenset(map(int, labels[CORES].split(","))),
            gpu_uuids=frozenset(filter(None, labels[GPUS].split(","))),
            memory_bytes=int(labels[MEMORY]),
        )

    def start(self, job: Job, share: Share) -> None:
        """Make and start it, with the fences of a rental."""
        cores = ",".join(map(str, sorted(share.cores)))
        uuids = sorted(share.gpu_uuids)
        granted = self._gpus.alone(uuids)
        with answers():
            api = self._engine.api
            host_config = api.create_host_config(
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                pids_limit=PIDS_MOST,
                mem_limit=share.memory_bytes,
                memswap_limit=share.memory_bytes,
                cpuset_cpus=cores,
                cpu_shares=WEIGHT,
                ipc_mode="private",
                network_mode="bridge" if job.network else "none",
                restart_policy={"Name": "no"},
                log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"}),
                device_requests=device_requests(granted),
            )
            api.create_container(
                image=job.image,
                name=self._name,
                command=list(job.command) or None,
                environment={"NVIDIA_VISIBLE_DEVICES": ",".join(granted.devices) or "void"},
                labels={
                    LABEL: self._machine,
                    CORES: cores,
                    GPUS: ",".join(uuids),
                    MEMORY: str(share.memory_bytes),
                },
                host_config=host_config,
                use_config_proxy=False,
            )
            api.start(self._name)

    def remove(self) -> None:
        """Kill and remove it; one that is not there, or is somebody else's, is fine."""
        found = self._found()
        if found is None:
            return
        try:
            with answers():
                self._engine.api.remove_container(found["Id"], force=True, v=True)
        except NotFound:
            return

    def _found(self) -> dict[str, Any] | None:
        """Return what Docker knows of it; one of its name without its label is not it."""
        try:
            with answers():
                found: dict[str, Any] = self._engine.api.inspect_container(self._name)
        except NotFound:
            return None
        is_own = (found["Config"]["Labels"] or {}).get(LABEL) == self._machine
        return found if is_own else None
