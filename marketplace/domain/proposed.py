"""This will propose how much of a machine to rent: what is looked for, and all that comes with it.

A slice costs its largest share of the machine (docs/decisions/0007-price-by-the-largest-share.md):
whoever takes one of eight GPUs may have an eighth of all else for the same price.
"""

from math import floor

from marketplace.domain.matching import Slice
from marketplace.domain.pricing import shares

GIB = 1 << 30
#: where a search names nothing; a tool and its data fit
LEAST = Slice(cpus=1, memory_bytes=GIB, disk_bytes=2 * GIB)
#: more disk than this is proposed only to whoever looks for it: it costs while a rental is stopped
DISK_BYTES = 32 * GIB


def proposed(
    asked: Slice | None, *, total: Slice, free: Slice, cpus_min: int = 0, gpus_min: int = 0
) -> Slice:
    """Return what costs no more than the least that is looked for, as far as it is free.

    ``asked``: what a search named; 0: nothing of that. None: it named no amount at all. Memory and
    disk beyond that are whole GiB.
    """
    named = asked or Slice(0, 0, 0)
    least = Slice(
        cpus=max(named.cpus or LEAST.cpus, cpus_min),
        memory_bytes=named.memory_bytes or min(LEAST.memory_bytes, total.memory_bytes),
        disk_bytes=named.disk_bytes or min(LEAST.disk_bytes, total.disk_bytes),
        gpus=max(named.gpus or min(1, total.gpus), gpus_min),
    )
    share = min(1, max(shares(least, total=total).values(), default=0))
    disk_bytes = min(floor(share * total.disk_bytes), DISK_BYTES)
    return Slice(
        # Nothing runs without one: where none is free, that is said.
        cpus=max(1, min(max(least.cpus, floor(share * total.cpus)), free.cpus)),
        memory_bytes=min(
            max(least.memory_bytes, _whole(floor(share * total.memory_bytes))), free.memory_bytes
        ),
        disk_bytes=min(max(least.disk_bytes, _whole(disk_bytes)), free.disk_bytes),
        gpus=min(max(least.gpus, floor(share * total.gpus)), free.gpus),
    )


def _whole(size_bytes: int) -> int:
    return size_bytes // GIB * GIB
