"""The kernel's two ways of saying what a container uses."""

import pytest

from miner_agent.domain.cgroup import GroupUsage, field, paths, usage

VERSION_1 = (
    "9:name=systemd:/docker/ab\n4:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/docker/ab\n"
)
VERSION_2 = "0::/system.slice/docker-ab.scope\n"
FILES_1 = {
    ("cpuacct", "/docker/ab/cpuacct.usage"): "2500000000\n",
    ("memory", "/docker/ab/memory.usage_in_bytes"): "5000\n",
    ("memory", "/docker/ab/memory.stat"): "cache 9\ninactive_file 1\ntotal_inactive_file 1000\n",
    ("memory", "/docker/ab/memory.oom_control"): "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
}
SCOPE = "/system.slice/docker-ab.scope"
FILES_2 = {
    ("", f"{SCOPE}/cpu.stat"): "usage_usec 2500000\nuser_usec 1\n",
    ("", f"{SCOPE}/memory.current"): "5000\n",
    ("", f"{SCOPE}/memory.stat"): "anon 1\nfile 2\ninactive_file 1000\n",
    ("", f"{SCOPE}/memory.events"): "low 0\nhigh 0\nmax 7\noom 3\noom_kill 3\noom_group_kill 0\n",
}


@pytest.mark.parametrize(("told", "files"), [(VERSION_1, FILES_1), (VERSION_2, FILES_2)])
def test_both_versions_say_the_same(told: str, files: dict[tuple[str, str], str]) -> None:
    found = usage(paths(told), lambda tree, path: files.get((tree, path)))
    assert found == GroupUsage(cpu_ms=2500, memory_bytes=4000, oom_kills=3)


@pytest.mark.parametrize(("told", "files"), [(VERSION_1, FILES_1), (VERSION_2, FILES_2)])
def test_what_has_ended_uses_nothing(told: str, files: dict[tuple[str, str], str]) -> None:
    assert usage(paths(told), lambda tree, path: None) is None
    for missing in list(files)[:2]:
        rest = {name: text for name, text in files.items() if name != missing}
        assert usage(paths(told), lambda tree, path, rest=rest: rest.get((tree, path))) is None


def test_a_kernel_that_counts_no_kills_says_so() -> None:
    files = {**FILES_1, ("memory", "/docker/ab/memory.oom_control"): "under_oom 0\n"}
    found = usage(paths(VERSION_1), lambda tree, path: files.get((tree, path)))
    assert found == GroupUsage(cpu_ms=2500, memory_bytes=4000, oom_kills=None)


def test_a_field_is_found_by_its_whole_name() -> None:
    assert field("oom_kill_disable 0\noom_kill 3\n", "oom_kill") == 3
    assert field("oom_kill x\n", "oom_kill") is None
