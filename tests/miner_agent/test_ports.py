from pathlib import Path

from miner_agent.clock import MachineClock
from miner_agent.ports import AVOIDED_MS, Ports
from tests.miner_agent.world import World


class Later(MachineClock):
    """A clock that is set by hand."""

    now_ms = 0

    def boot_ms(self) -> int:
        return self.now_ms


def test_of_the_range_the_agents_own_door_is_nobodys() -> None:
    assert Ports(first=1000, last=1009, own=(1003, 7000), clock=Later()).count() == 9


def test_a_port_at_which_a_foreign_program_listens_counts_again_after_a_while() -> None:
    clock = Later()
    ports = Ports(first=1000, last=1009, clock=clock)
    ports.avoid((1001, 1002))
    assert ports.count() == 8
    clock.now_ms = AVOIDED_MS
    assert ports.count() == 10


def test_each_sync_tells_how_many_there_are(tmp_path: Path) -> None:
    world = World(tmp_path / "journal")
    assert world.agent.request().ports == world.ports
