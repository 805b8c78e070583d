"""What renters have goes on when the agent is killed, comes back, and comes back as a newer one."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from protocol.agent import ObservedState
from tests.miner_agent.access.places import PLACES
from tests.miner_agent.access.renter import Renter
from tests.miner_agent.host import Host

#: an agent that makes another kit of the same programs
NEWER = """
import sys
from miner_agent.access import kit
from miner_agent.cli import main
kit.BUILDER = "newer"
sys.argv = ["berth-agent", "run"]
main()
"""
TICKS = 5
on_busybox = pytest.mark.parametrize(
    "renter", [place for place in PLACES if place.has_busybox], indirect=True, ids=["busybox"]
)


class Stream:
    """An open session that prints something for as long as it lives."""

    def __init__(self, renter: Renter) -> None:
        line = 'n=0; while sleep 0.02; do echo "$((n+=1))"; done'
        self.process = subprocess.Popen(renter.ssh("door", line), stdout=subprocess.PIPE)
        self.last = 0

    def goes_on(self) -> bool:
        """Read on and say whether nothing is missing."""
        assert self.process.stdout is not None
        ticks = [int(self.process.stdout.readline() or "0") for _ in range(TICKS)]
        expected = list(range(self.last + 1, self.last + 1 + TICKS))
        self.last += TICKS
        return ticks == expected

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def streaming(renter: Renter) -> Iterator[Stream]:
    stream = Stream(renter)
    try:
        yield stream
    finally:
        stream.close()


def restart(host: Host, number: signal.Signals, *, program: str = "") -> None:
    """Let the agent end and come back, and wait until the marketplace hears from it."""
    host.stop(number)
    heard = host.market.syncs
    host.start(program=program)
    host.market.wait_until(lambda: host.market.syncs > heard + 1)


@on_busybox
def test_a_session_goes_on_through_the_agents_death_and_a_new_kit(
    renter: Renter, running_host: Host
) -> None:
    host, market, kits = running_host, running_host.market, running_host.home / "agent" / "kits"
    placement_id, seen = renter.desired.placement_id, renter.seen
    (first,) = kits.iterdir()
    with streaming(renter) as stream:
        assert stream.goes_on()
        restart(host, signal.SIGKILL, program=NEWER)
        other = host.desire()
        began = market.wait_for(other.placement_id, ObservedState.RUNNING)
        (second,) = set(kits.iterdir()) - {first}
        assert host.ssh(began, "head -n 1 /.access/parts").stdout == "builder newer\n"
        assert stream.goes_on()
        restart(host, signal.SIGTERM)
        assert stream.goes_on()
        # A log-in with the first one's host key, which the renter has pinned.
        assert renter.do(renter.ssh("door", "echo in")).stdout == b"in\n"
        assert host.ssh(began, "echo in").stdout == "in\n"
        assert set(kits.iterdir()) == {first, second}
        market.end(other.placement_id)
        market.wait_for(other.placement_id, ObservedState.GONE)
        market.drop(other.placement_id)
        market.wait_until(lambda: set(kits.iterdir()) == {first})
        assert stream.goes_on()
    now = market.wait_for(placement_id, ObservedState.RUNNING)
    assert (now.run, now.ssh_port, now.ssh_host_key) == (seen.run, seen.ssh_port, seen.ssh_host_key)
