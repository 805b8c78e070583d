"""This will say what of a machine no placement holds, for the host's own work while it is idle."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from miner_agent.domain.gpus import card_of, is_part
from miner_agent.domain.placement import Placement
from protocol.agent import ObservedState

#: less is not worth a container
MEMORY_LEAST = 256 << 20
#: a placement in one of these is about to start
STARTING = frozenset({ObservedState.ACCEPTED, ObservedState.PREPARING})
#: these hold no memory
AT_REST = frozenset({ObservedState.GONE, ObservedState.STOPPED})


@dataclass(frozen=True, slots=True)
class Share:
    """Cores, GPUs and memory that belong together."""

    cores: frozenset[int]
    gpu_uuids: frozenset[str]
    memory_bytes: int

    @property
    def is_worth_it(self) -> bool:
        """Whether anything can be done with it."""
        return bool(self.cores) and self.memory_bytes >= MEMORY_LEAST

    def fits_in(self, other: "Share") -> bool:
        """Say whether all of this is part of the other."""
        return (
            self.cores <= other.cores
            and self.gpu_uuids <= other.gpu_uuids
            and self.memory_bytes <= other.memory_bytes
        )


@dataclass(frozen=True, slots=True)
class Job:
    """What the host wants to run."""

    image: str
    #: empty: the image's own
    command: tuple[str, ...] = ()
    network: bool = False


def spare(
    offered: Share,
    *,
    cores_held: Collection[str],
    gpus_held: Collection[str],
    placements: Iterable[Placement],
) -> Share:
    """Return what is left of what the machine offers; of a shared card all parts or none.

    The host's own work is no client of a card's sharing service, so nothing holds it to a part.
    """
    shared = {card_of(unit) for unit in gpus_held if is_part(unit)}
    memory_held = sum(
        one.workload.resources.ram.capacity for one in placements if one.state not in AT_REST
    )
    return Share(
        cores=offered.cores - {int(core) for core in cores_held},
        gpu_uuids=frozenset(
            unit
            for unit in offered.gpu_uuids - frozenset(gpus_held)
            if not (is_part(unit) and card_of(unit) in shared)
        ),
        memory_bytes=max(0, offered.memory_bytes - memory_held),
    )


def is_starting(placements: Iterable[Placement]) -> bool:
    """Say whether a placement is about to start: whatever began now would be in its way."""
    return any(one.state in STARTING for one in placements)
