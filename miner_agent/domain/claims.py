"""This will say what of the machine belongs to a placement and to nobody else meanwhile."""

from miner_agent.domain.placement import Placement
from protocol.agent import ObservedState

#: what a claim can be about: each value belongs to one placement at most
PORT, SLOT, CORE, GPU = "port", "slot", "core", "gpu"


def claims(placement: Placement) -> frozenset[tuple[str, str]]:
    """Return (kind, value) of everything it holds: for what runs now and for what is to run."""
    if placement.state is ObservedState.GONE:
        return frozenset()
    held: set[tuple[str, str]] = set()
    for part in (placement, placement.current):
        if part is None:
            continue
        held |= {(PORT, str(port)) for port in part.ports.values()}
        held |= {(CORE, str(core)) for core in part.cores}
        held |= {(GPU, uuid) for uuid in part.gpu_uuids}
        held |= {(SLOT, str(part.slot))} if part.slot is not None else set()
    return frozenset(held)
