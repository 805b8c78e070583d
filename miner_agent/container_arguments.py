"""This will say in Docker's words what a container is made with."""

from collections.abc import Mapping
from typing import Any

from docker.types import DeviceRequest, LogConfig, Ulimit

from miner_agent.domain.container_spec import HOST_NAME, NO_NETWORK, ContainerSpec
from miner_agent.domain.gpus import GpuAccess, GpuGrant


def create_arguments(api: Any, spec: ContainerSpec, labels: dict[str, str]) -> dict[str, Any]:
    """Return the arguments with which Docker's library makes this container."""
    host_config = api.create_host_config(
        binds={
            **_binds(spec.mounts, mode="ro"),
            **_binds({**spec.gpus.writable, **spec.writable_mounts}, mode="rw"),
        },
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
            # One byte, not none: only this also keeps dumps from a program of the host that
            # takes them through a pipe, outside the rental's disk.
            Ulimit(name="core", soft=1, hard=1),
        ],
        ipc_mode="private",
        init=False,
        network_mode=spec.network,
        # The agent starts containers itself: after a reboot the disk must be mounted first.
        restart_policy={"Name": "no"},
        log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"}),
        port_bindings={
            f"{inside}/tcp": (spec.bind_address, outside) for inside, outside in spec.ports.items()
        },
        dns=(list(spec.dns) or None) if spec.network != NO_NETWORK else None,
        runtime=spec.runtime or None,
        device_requests=device_requests(spec.gpus),
    )
    host_config["CgroupnsMode"] = "private"
    return {
        "image": spec.image_id,
        "name": spec.name,
        "hostname": HOST_NAME,
        "user": "0",
        "entrypoint": list(spec.entrypoint),
        "command": list(spec.command) or None,
        "environment": dict(spec.environment),
        "ports": list(spec.ports),
        "labels": labels,
        "host_config": host_config,
        # The host's proxy, with its password, is not the renter's business.
        "use_config_proxy": False,
    }


def _binds(mounts: Mapping[str, str], *, mode: str) -> dict[str, dict[str, str]]:
    return {outside: {"bind": inside, "mode": mode} for outside, inside in mounts.items()}


def device_requests(gpus: GpuGrant) -> list[Any] | None:
    """Ask for exactly these GPUs; a mere count would always hand out the first ones."""
    devices = list(gpus.devices)
    if not devices:
        return None
    if gpus.access is GpuAccess.CDI:
        return [DeviceRequest(driver=GpuAccess.CDI, device_ids=devices)]
    return [DeviceRequest(driver=GpuAccess.NVIDIA, device_ids=devices, capabilities=[["gpu"]])]
