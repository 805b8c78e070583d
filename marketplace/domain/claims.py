"""This will say whether what a machine claims is still what a validator found."""

from protocol.hardware import Hardware

PPM = 1_000_000
#: memory is counted a little differently by each kernel
FOUND_PPM_MIN = 970_000


def covers(*, found: Hardware, claimed: Hardware) -> bool:
    """Say whether a look at ``found`` vouches for ``claimed``: fewer is fine, more or other is not.

    The room on a disk comes and goes, and a rental that does not fit fails before it costs.
    """
    seen = {(gpu.uuid, gpu.model): gpu.vram_bytes for gpu in found.gpus}
    return (
        claimed.cpus <= found.cpus
        and enough(found.memory_bytes, claimed.memory_bytes)
        and all(enough(seen.get((gpu.uuid, gpu.model), -1), gpu.vram_bytes) for gpu in claimed.gpus)
    )


def enough(found: int, claimed: int) -> bool:
    """Say whether so many found bytes are the claimed ones, but for how they are counted."""
    return found * PPM >= claimed * FOUND_PPM_MIN
