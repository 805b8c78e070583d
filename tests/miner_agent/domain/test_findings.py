"""Each thing that the check judges, as it is on a machine that can serve and on one that cannot."""

from collections.abc import Mapping

import pytest

from miner_agent.domain.findings import Finding, engine, gpus, network, system

INFO: Mapping[str, object] = {
    "MemoryLimit": True,
    "CPUSet": True,
    "PidsLimit": True,
    "SwapLimit": True,
    "CgroupVersion": "2",
    "LiveRestoreEnabled": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Plugins": {"Log": ["json-file", "syslog"]},
    "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
}
GIB = 1 << 30


def room(free_gib: int) -> Finding:
    return system.set_aside(
        asked_bytes=9 * GIB, used_bytes=4 * GIB, free_bytes=free_gib * GIB, where="/x"
    )


#: (as it has to be, as it is not, a word of what is then said, needed)
CASES: list[tuple[Finding, Finding, str, bool]] = [
    (engine.version("20.10.24+dfsg1"), engine.version("19.03.1"), "19.03.1", True),
    (engine.version("28.2"), engine.version(""), "unknown", True),
    (engine.limits(INFO), engine.limits({**INFO, "PidsLimit": False}), "processes", True),
    (engine.limits(INFO), engine.limits({}), "memory, cores, processes", True),
    (
        engine.swap_limit(INFO, swap_bytes=9),
        engine.swap_limit({}, swap_bytes=9),
        "swapoff",
        False,
    ),
    (engine.live_restore(INFO), engine.live_restore({}), "daemon.json", False),
    (engine.seccomp(INFO, needed=True), engine.seccomp({}, needed=True), "seccomp", True),
    (engine.seccomp(INFO, needed=False), engine.seccomp({}, needed=False), "seccomp", False),
    (engine.log_driver(INFO), engine.log_driver({"Plugins": None}), "json-file", True),
    (engine.open_files(20_000), engine.open_files(1024), "1024", False),
    (
        engine.backing(INFO),
        engine.backing({"DriverStatus": [["Supports d_type", "false"]]}),
        "file system",
        True,
    ),
    (engine.runc("1.3.4"), engine.runc("1.1.5+ds1"), "CVE-2024-21626", False),
    (engine.other_agents(()), engine.other_agents({"ab", "aa"}), "aa, ab", False),
    (system.kernel("6.1.0-13-amd64"), system.kernel("4.19.0"), "4.19.0", False),
    (system.clock(synchronised=True), system.clock(synchronised=False), "chrony", False),
    (system.memory(8 * GIB), system.memory(GIB), "1.0 GiB", False),
    (
        system.offered(cores=3, cores_kept=1, memory_bytes=GIB, kept_bytes=GIB),
        system.offered(cores=0, cores_kept=4, memory_bytes=GIB, kept_bytes=GIB),
        "4 cores and 1.0 GiB are kept",
        True,
    ),
    (
        system.room(free_bytes=20 * GIB, where="/x"),
        system.room(free_bytes=GIB, where="/x"),
        "1.0 GiB are free at /x",
        False,
    ),
    (room(5), room(4), "9.0 GiB are set aside", False),
    (
        system.inodes(free=50, total=100, where="/x"),
        system.inodes(free=4, total=100, where="/x"),
        "4 %",
        False,
    ),
    (
        system.inotify({"max_user_instances": 512}),
        system.inotify({"max_user_instances": 128}),
        "sysctl -w fs.inotify.max_user_instances=512",
        False,
    ),
    (
        system.loops(there=True, needed=True),
        system.loops(there=False, needed=True),
        "modprobe loop",
        True,
    ),
    (
        system.home(mode=0o711, key_mode=0o600, where="/x"),
        system.home(mode=0o777, key_mode=0o600, where="/x"),
        "write in /x",
        True,
    ),
    (
        system.home(mode=None, key_mode=None, where="/x"),
        system.home(mode=0o711, key_mode=0o640, where="/x"),
        "read the machine's key",
        True,
    ),
    (
        network.control_port(7, taken=False, is_ours=False),
        network.control_port(7, taken=True, is_ours=False),
        "listens on port 7",
        True,
    ),
    (
        network.ports(10, 12, taken={9, 13}),
        network.ports(10, 12, taken={11}),
        "11 of the range 10-12; 2 are free",
        False,
    ),
    (network.ports(1, 2, taken=()), network.ports(1, 2, taken={1, 2}), "0 are free", True),
    (network.hook(there=True, needed=True), network.hook(there=False, needed=True), "not", True),
    (network.forwarding(on=True), network.forwarding(on=False), "ip_forward=1", True),
    (network.ipv6(forwards=False), network.ipv6(forwards=True), "IPv6", False),
    (network.connections(262_144), network.connections(1024), "1024", False),
    (
        network.marketplace("http://m", problem=""),
        network.marketplace("http://m", problem="no route"),
        "no route",
        False,
    ),
    (network.skew(-2.0), network.skew(-90.0), "90 s behind", False),
    (network.skew(None), network.skew(90.0), "90 s ahead of", False),
    (gpus.driver(boards=2, cards=2), gpus.driver(boards=2, cards=0), "2 NVIDIA boards", False),
    (gpus.access(cards=1, wants=()), gpus.access(cards=1, wants=("install it",)), "Install", True),
    (gpus.persistence(()), gpus.persistence(("GPU-1",)), "1 of the GPUs", False),
]


@pytest.mark.parametrize(
    ("good", "bad", "word", "needed"), CASES, ids=lambda one: getattr(one, "id", "")
)
def test_a_finding_says_what_is_what_has_to_be_why_and_what_to_do(
    good: Finding, bad: Finding, word: str, needed: bool
) -> None:
    assert (good.passed, good.mark, good.sentence) == (True, "ok", good.actual)
    assert not bad.passed
    assert bad.mark == ("FAIL" if needed else "warn")
    assert word in bad.sentence
    assert bad.id == good.id
    assert all((bad.actual, bad.required, bad.why, bad.fix))


@pytest.mark.parametrize(
    "good",
    [
        engine.swap_limit({}, swap_bytes=0),
        system.clock(synchronised=None),
        system.inodes(free=0, total=0, where="/btrfs"),
        system.inotify({}),
        network.control_port(7, taken=True, is_ours=True),
        network.connections(None),
        gpus.driver(boards=0, cards=0),
        gpus.access(cards=0, wants=("install it",)),
    ],
    ids=lambda one: one.id,
)
def test_what_nobody_can_tell_or_nobody_needs_is_no_fault(good: Finding) -> None:
    assert good.passed


def test_many_ports_are_named_by_the_first_of_them() -> None:
    assert "1, 2, 3, 4, 5 and more" in network.ports(1, 100, taken=range(1, 30)).sentence
