"""This will open the chain that the operator chose."""

from collections.abc import Callable

from validator.chain.interface import Chain
from validator.chain.memory import MemoryChain
from validator.chain.subtensor import SubtensorChain
from validator.env import Configuration

NETWORK_MEMORY = "memory"


def open_chain(
    configuration: Configuration,
    *,
    network: str,
    netuid: int,
    timeout_s: float,
    now_ms: Callable[[], int],
) -> Chain:
    """Return the chain called ``network``; nothing is connected yet."""
    if network == NETWORK_MEMORY:
        return MemoryChain(configuration.memory_chain_file, now_ms=now_ms)
    return SubtensorChain(network, netuid, timeout_s=timeout_s)
