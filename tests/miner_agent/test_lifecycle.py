"""A rental that is stopped, started elsewhere, started anew, emptied and changed, on Docker."""

from collections.abc import Callable, Iterator
from urllib.request import urlopen
from uuid import UUID

import pytest

from protocol.agent import DesiredPlacement, ObservedPlacement, ObservedState, Want
from protocol.receipts import check_chain
from tests.miner_agent import images
from tests.miner_agent.host import Host, docker, is_left

RUNNING, STOPPED, GONE = ObservedState.RUNNING, ObservedState.STOPPED, ObservedState.GONE
OTHER = "berth-test-other:1"


class Life:
    """One rental, and what its renter asks of it."""

    def __init__(self, host: Host) -> None:
        self.host, self.market = host, host.market
        self.desired: DesiredPlacement = host.desire(ports=(8000,))
        self.id: UUID = self.desired.placement_id
        self.market.wait_for(self.id, RUNNING)

    @property
    def seen(self) -> ObservedPlacement:
        return self.market.observed[self.id]

    def ask(self, **changes: object) -> None:
        self.desired = self.desired.model_copy(update=changes)
        self.market.want(self.desired)

    def alter(self, **changes: object) -> None:
        workload = self.desired.workload.model_copy(update=changes)
        self.ask(workload=workload, edition=self.desired.edition + 1)

    def until(self, state: ObservedState, is_so: Callable[[ObservedPlacement], bool]) -> None:
        self.market.wait_until(lambda: self.seen.state is state and is_so(self.seen))

    def run(self, command: str) -> str:
        done = self.host.ssh(self.seen, command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def life(running_host: Host) -> Iterator[Life]:
    images.make(OTHER, "ENV FROM_IMAGE=other")
    life = Life(running_host)
    yield life
    life.ask(want=Want.END, run_for_ms=None)
    life.market.wait_for(life.id, GONE)
    assert is_left(life.id, running_host.home) == []
    assert check_chain(life.market.chains[life.id]) > 0
    assert life.market.failures == []
    life.market.drop(life.id)


def addresses(seen: ObservedPlacement) -> tuple[object, ...]:
    """Return what a renter has written down."""
    return seen.ssh_port, seen.ssh_host_key, seen.ports


def test_a_stop_keeps_files_and_ports_and_gives_the_rest_to_others(life: Life) -> None:
    first = life.seen
    (published,) = first.ports
    assert published.inside == 8000
    life.run("echo kept > /root/file && mkdir /root/full && echo more > /root/full/more")
    cores = life.run("grep Cpus_allowed_list /proc/self/status")
    life.ask(want=Want.STOP)
    life.until(STOPPED, lambda seen: seen.ports == first.ports)
    assert docker("ps", "-q", "--filter", f"name=berth-{life.id}") == ""
    # Somebody else takes its core meanwhile.
    other = life.host.desire()
    life.market.wait_for(other.placement_id, RUNNING)
    life.ask(want=Want.RUN)
    life.until(RUNNING, lambda seen: seen.run == first.run + 1)
    assert addresses(life.seen) == addresses(first)
    assert life.run("cat /root/file /root/full/more") == "kept\nmore"
    assert life.run("grep Cpus_allowed_list /proc/self/status") != cores
    # It still ends where its disk ends.
    full = life.host.ssh(life.seen, "dd if=/dev/zero of=/big bs=1M count=99; rm /big")
    assert "No space left" in full.stderr
    life.run("httpd -p 8000 -h /root")
    (published,) = life.seen.ports
    with urlopen(f"http://127.0.0.1:{published.outside}/file", timeout=60) as page:
        assert page.read() == b"kept\n"
    life.market.end(other.placement_id)
    life.market.wait_for(other.placement_id, GONE)
    life.market.drop(other.placement_id)
    runs = [signed.interval.run for signed in life.market.chains[life.id]]
    assert runs == sorted(runs)


def test_a_restart_keeps_the_container_and_a_reset_only_the_addresses(life: Life) -> None:
    first = life.seen
    life.run("echo kept > /root/file; echo kept > /dev/shm/file")
    life.ask(restarts=1)
    life.until(RUNNING, lambda seen: seen.restarts == 1 and seen.run == 1)
    assert life.run("cat /root/file; ls /dev/shm") == "kept"
    life.ask(resets=1)
    life.until(RUNNING, lambda seen: seen.resets == 1)
    assert life.host.ssh(life.seen, "cat /root/file").returncode != 0
    assert addresses(life.seen) == addresses(first)
    assert life.seen.run == 2
    assert len(docker("ps", "-aq", "--filter", f"name=berth-{life.id}").split()) == 1


def test_a_change_takes_the_place_of_what_ran_or_leaves_it_alone(life: Life) -> None:
    first = life.seen
    life.run("echo kept > /root/file")
    life.alter(image="Not A Name")
    life.until(RUNNING, lambda seen: seen.change_problem is not None)
    assert life.seen.change_problem.code == "image_unknown"
    assert (life.seen.run, life.seen.edition, life.seen.problem_edition) == (0, 0, 1)
    assert life.run("cat /root/file") == "kept"
    life.alter(image=life.host.image, environment={"MINE": "new"}, ports=(8000, 9000))
    life.until(RUNNING, lambda seen: seen.edition == 2)
    assert life.seen.change_problem is None
    assert life.run('cat /root/file; echo "$MINE"') == "kept\nnew"
    assert [port.inside for port in life.seen.ports] == [8000, 9000]
    assert life.seen.ports[0] == first.ports[0]
    life.alter(image=OTHER)
    life.until(RUNNING, lambda seen: seen.edition == 3)
    assert life.run('echo "$FROM_IMAGE"') == "other"
    assert life.host.ssh(life.seen, "cat /root/file").returncode != 0
    assert addresses(life.seen)[:2] == addresses(first)[:2]
