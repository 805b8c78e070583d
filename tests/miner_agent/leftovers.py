"""This will end what a test left on a machine that it shares: one failure stays one failure."""

import contextlib
from collections.abc import Iterator

from protocol.agent import ObservedState
from protocol.workload import VolumeState
from tests.miner_agent.host import Host


@contextlib.contextmanager
def ended_after(host: Host) -> Iterator[None]:
    """End every placement and volume of the machine that was not asked for before."""
    placements, volumes = set(host.market.desired), set(host.market.volumes)
    try:
        yield
    finally:
        _end(host, set(host.market.desired) - placements, set(host.market.volumes) - volumes)


def _end(host: Host, placements: set, volumes: set) -> None:
    market = host.market
    left = [one for one in placements if not market.has_seen(one, ObservedState.GONE)]
    if left or volumes:
        market.silent = False
        if host.process is None or host.process.poll() is not None:
            host.start()
    for one in left:
        market.end(one)
    for one in volumes:
        market.keep(market.volumes[one].model_copy(update={"remove": True}))
    for one in left:
        market.wait_for(one, ObservedState.GONE)
    for one in volumes:
        market.wait_for_volume(one, VolumeState.GONE)
        market.forget(one)
    for one in placements:
        market.drop(one)
