"""A tenant who takes all that he can get hurts himself alone."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.miner_agent.host import MIB
from tests.miner_agent.lab import Lab
from tests.miner_agent.programs import put

#: of the kernel's tables that all share: more than they hold where nobody has widened them
WIDENED = {"instances": 12_000, "terminals": 4_000, "requests": 100, "channels": 20_000}
#: what every tenant has of his own -> why it ends, and what needs some of it next door
ENDING = {
    "processes": ("Resource temporarily unavailable", "for i in $(seq 50); do true & done; wait"),
    "files": ("No space left on device", "touch /tmp/one-more && rm /tmp/one-more"),
    "disk": ("No space left on device", "dd if=/dev/zero of=/room bs=1M count=40 && rm /room"),
    "memory": ("Out of memory", "dd if=/dev/zero of=/dev/shm/room bs=1M count=80; rm /dev/shm/*"),
}
MANY = 1_000_000
#: tells on which core each of six busy programs is, again and again
SPIN = """
for i in $(seq 6); do sh -c 'while :; do :; done' & all="$all /proc/$!/stat"; done
for i in $(seq 100); do cut -d ' ' -f 39 $all; done
kill $(jobs -p)
"""


@pytest.fixture(scope="module")
def bombs(tenants: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bombs")
    put(tenants.second, "bombs", folder)
    return put(tenants.first, "bombs", folder)


@contextlib.contextmanager
def held(lab: Lab, command: str) -> Iterator[tuple[int, str]]:
    """Let the first tenant take all of something; yield how much it is and what stopped it."""
    client = [*lab.host.inside, *lab.host.client(lab.first.seen), "root@127.0.0.1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([*client, command], text=True, **pipes) as taking:
        assert taking.stdout is not None
        count, _, why = taking.stdout.readline().partition(" ")
        yield int(count), why.strip()
        assert taking.stdin is not None
        taking.stdin.close()


def assert_alive(lab: Lab) -> None:
    """Everybody else goes on: the agent says so to its marketplace, the neighbour works."""
    syncs = lab.host.market.syncs
    lab.host.market.admit("ssh-ed25519 " + "A" * 43)
    lab.host.market.wait_until(lambda: lab.host.market.syncs > syncs)
    assert lab.second.run("echo fine") == "fine"


@pytest.mark.parametrize("kind", WIDENED)
def test_a_table_of_the_kernel_has_room_for_another(tenants: Lab, bombs: str, kind: str) -> None:
    with held(tenants, f"{bombs} {kind} {WIDENED[kind]}") as (count, _):
        assert count == WIDENED[kind]
        assert tenants.second.run(f"{bombs} {kind} 1 </dev/null").startswith("1 ")
        assert_alive(tenants)


@pytest.mark.parametrize("kind", ENDING)
def test_who_takes_all_takes_it_from_himself(tenants: Lab, bombs: str, kind: str) -> None:
    why, needs_some = ENDING[kind]
    with held(tenants, f"{bombs} {kind} {MANY}") as (count, said):
        assert count < MANY
        assert said == why
        tenants.second.run(needs_some)
        assert_alive(tenants)
    tenants.first.run("rm -rf /many /filler")


def test_a_flood_of_lines_is_cut(tenants: Lab) -> None:
    tenants.first.run("dd if=/dev/zero bs=1M count=8 | tr '\\0' 'x' > /proc/1/fd/1")
    name = f"berth-{tenants.first.desired.placement_id}-0"
    asked = tenants.engine.ask("inspect", "-f", "{{.LogPath}}", name)
    assert asked.returncode == 0, asked.stderr
    log = Path(asked.stdout.strip())
    sizes = [path.stat().st_size for path in log.parent.glob(f"{log.name}*")]
    assert 0 < sum(sizes) <= 3 * MIB
    assert_alive(tenants)


def test_nobody_runs_on_anothers_cores(tenants: Lab) -> None:
    allowed = "grep Cpus_allowed_list /proc/self/status | cut -f 2"
    own, others = tenants.first.run(allowed), tenants.second.run(allowed)
    assert own != others
    assert tenants.first.run(f"taskset -c {own} {allowed}") == own
    moved = tenants.host.ssh(tenants.first.seen, f"taskset -c {others} {allowed}")
    assert moved.stdout == ""
    assert "Invalid argument" in moved.stderr
    # Many at once would be spread over all cores that they may run on.
    assert set(tenants.first.run(SPIN).split()) == {own}
    assert_alive(tenants)
