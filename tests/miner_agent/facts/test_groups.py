"""What a container uses, from files as a machine with cgroup v1 or v2 has them."""

import os
from pathlib import Path

import pytest

from miner_agent.facts import groups
from miner_agent.facts.load import load_milli, memory, read_machine

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo: 500 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0
  eth0: 7000 1 0 0 0 0 0 0 300 1 0 0 0 0 0 0
"""
FILES = {
    1: {
        "cpuacct/docker/ab/cpuacct.usage": "9000000\n",
        "memory/docker/ab/memory.usage_in_bytes": "4096\n",
        "memory/docker/ab/memory.stat": "total_inactive_file 96\n",
        "memory/docker/ab/memory.oom_control": "oom_kill 1\n",
        "memory/docker/ab/cgroup.procs": "77\n78\n",
    },
    2: {
        "docker/ab/cpu.stat": "usage_usec 9000\n",
        "docker/ab/memory.current": "4096\n",
        "docker/ab/memory.stat": "inactive_file 96\n",
        "docker/ab/memory.events": "oom_kill 1\n",
        "docker/ab/cgroup.procs": "77\n78\n",
    },
}
TOLD = {1: "4:memory:/docker/ab\n2:cpuacct:/docker/ab\n0::/\n", 2: "0::/docker/ab\n"}


@pytest.mark.parametrize("version", [1, 2])
def test_a_machine_of_either_version_says_what_a_container_uses(
    tmp_path: Path, version: int
) -> None:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    for name, text in {
        **{f"cgroup/{path}": text for path, text in FILES[version].items()},
        "proc/77/cgroup": TOLD[version],
        "proc/77/net/dev": NET_DEV,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (proc / "77" / "root").mkdir()
    found = groups.read(77, proc=proc, root=root)
    assert found is not None
    assert (found.group.cpu_ms, found.group.memory_bytes, found.group.oom_kills) == (9, 4000, 1)
    assert (found.group_path, found.network_bytes) == ("/docker/ab", (7000, 300))
    room = os.statvfs(tmp_path)
    assert found.disk_bytes[1] == room.f_blocks * room.f_frsize > found.disk_bytes[0] > 0
    assert groups.processes("/docker/ab", root=root) == {77, 78}
    assert groups.read(78, proc=proc, root=root) is None


def test_without_a_network_there_are_no_numbers_of_it() -> None:
    assert groups.network_bytes("\n".join(NET_DEV.splitlines()[:3])) is None


def test_this_machine_says_how_it_does(tmp_path: Path) -> None:
    usage = read_machine(disk=tmp_path)
    assert 0 < usage.memory_used_bytes < usage.memory_bytes
    assert 0 < usage.disk_used_bytes < usage.disk_bytes
    assert load_milli("1.05 0.30 0.20 1/100 5\n") == 1050
    assert memory("MemTotal: 4 kB\nMemFree: 1 kB\nMemAvailable: 2 kB\n") == (4096, 2048)
