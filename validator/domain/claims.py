"""This will compare what a host listed with what its machine says over the pinned SSH door."""

from collections.abc import Iterator, Sequence

from protocol.agent import Problem
from protocol.hardware import Gpu, Hardware

#: kernels differ by a few pages between boots; anything below this share of the claim is missing
CLAIM_PPM_MIN = 970_000
PPM = 1_000_000


def check(*, claimed: Hardware, found: Hardware) -> tuple[Problem, ...]:
    """Return every claim that the machine's own facts contradict, worst first; empty: none."""
    return (*_docker(found), *_capacities(claimed, found), *_gpus(claimed.gpus, found.gpus))


def _docker(found: Hardware) -> Iterator[Problem]:
    if not found.docker_version:
        yield Problem(
            code="docker_missing",
            message="Docker does not answer on the machine. Start it: systemctl start docker.",
        )


def _capacities(claimed: Hardware, found: Hardware) -> Iterator[Problem]:
    if found.cpus < claimed.cpus:
        yield _less("cpus_missing", "CPUs", claimed.cpus, found.cpus)
    if found.memory_bytes * PPM < claimed.memory_bytes * CLAIM_PPM_MIN:
        yield _less("memory_missing", "bytes of memory", claimed.memory_bytes, found.memory_bytes)
    if found.disk_bytes * PPM < claimed.disk_bytes * CLAIM_PPM_MIN:
        yield _less("disk_missing", "bytes of disk", claimed.disk_bytes, found.disk_bytes)


def _gpus(claimed: Sequence[Gpu], found: Sequence[Gpu]) -> Iterator[Problem]:
    found_by_uuid = {gpu.uuid: gpu for gpu in found}
    if len({gpu.driver for gpu in found}) > 1:
        yield Problem(
            code="gpu_drivers_differ",
            message="The GPUs report different drivers; one machine loads one driver.",
        )
    for gpu in claimed:
        yield from _gpu(gpu, found_by_uuid.get(gpu.uuid))


def _gpu(claimed: Gpu, found: Gpu | None) -> Iterator[Problem]:
    if found is None:
        yield Problem(
            code="gpu_missing",
            message=f"GPU {claimed.uuid} is listed but not in the machine. Re-seat or unlist it.",
        )
    elif found.model != claimed.model:
        yield Problem(
            code="gpu_model_differs",
            message=f"GPU {claimed.uuid} is listed as {claimed.model} but is {found.model}.",
        )
    elif found.vram_bytes * PPM < claimed.vram_bytes * CLAIM_PPM_MIN:
        yield _less("vram_missing", "bytes of VRAM", claimed.vram_bytes, found.vram_bytes)


def _less(code: str, what: str, claimed: int, found: int) -> Problem:
    return Problem(
        code=code,
        message=f"The machine lists {claimed} {what} but has {found}. Restart its agent to correct"
        " the listing.",
    )
