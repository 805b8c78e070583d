"""Every byte that a rental can write is its own disk's or its own memory's."""

import json
from collections.abc import Iterator

import pytest

from protocol.agent import ObservedState
from tests.miner_agent import images
from tests.miner_agent.host import MIB, Host, docker
from tests.miner_agent.leftovers import ended_after
from tests.miner_agent.test_rental import Rental

#: what is memory, or shows the kernel's own state; everything else would be somebody's disk
KERNEL = {"tmpfs", "devtmpfs", "proc", "devpts", "mqueue", "sysfs", "cgroup", "cgroup2"}
WISHES = (
    "VOLUME /data /more",
    "LABEL proxy.host=evil",
    "HEALTHCHECK CMD touch /checked",
    "WORKDIR /work",
    "ENV LD_PRELOAD=/bad.so NVIDIA_IMEX_CHANNELS=0",
)
#: what a renter may wish for on top
VARIABLES = {"LD_AUDIT": "/bad.so", "NVIDIA_MIG_CONFIG_DEVICES": "all", "MINE": "mine"}


@pytest.fixture(scope="module")
def greedy(host: Host) -> Iterator[Rental]:
    """A rental of an image that wishes for all that an image can wish for."""
    if host.process is None:
        host.start()
    images.make("berth-test-greedy:1", *WISHES, inside="from the image")
    with ended_after(host):
        desired = host.desire(image="berth-test-greedy:1", environment=VARIABLES)
        seen = host.market.wait_for(desired.placement_id, ObservedState.RUNNING)
        yield Rental(host, desired, seen)


def container(rental: Rental, what: str) -> str:
    return docker("inspect", "-f", what, f"berth-{rental.desired.placement_id}-0")


def test_no_folder_or_file_of_the_host_can_be_written(greedy: Rental) -> None:
    writable = []
    for line in greedy.run("cat /proc/self/mountinfo").splitlines():
        fields, _, source = line.partition(" - ")
        if fields.split()[5].startswith("rw") and source.split()[0] not in KERNEL:
            writable.append(fields.split()[4])
    assert writable == ["/"]
    for name in ("hosts", "hostname", "resolv.conf"):
        assert greedy.host.ssh(greedy.seen, f"echo x >> /etc/{name}").returncode != 0


def test_a_volume_of_the_image_is_a_folder_of_the_rentals_own_disk(greedy: Rental) -> None:
    assert greedy.run("cat /data/inside") == "from the image"
    for folder in ("/data", "/more"):
        write = f"mkdir -p {folder}; dd if=/dev/zero of={folder}/big bs=1M count=100"
        full = greedy.host.ssh(greedy.seen, write)
        assert "No space left" in full.stderr
        assert int(greedy.run(f"stat -c %s {folder}/big; rm {folder}/big")) <= 64 * MIB
    assert container(greedy, "{{len .Mounts}}") == container(greedy, "{{len .HostConfig.Binds}}")


def test_memory_file_systems_count_as_memory(greedy: Rental) -> None:
    counted = "grep -h '^shmem ' /sys/fs/cgroup/memory/memory.stat /sys/fs/cgroup/memory.stat"
    greedy.run("for f in /dev/shm/a /dev/a; do dd if=/dev/zero of=$f bs=1M count=30; done")
    shared = greedy.run(f"{counted} 2>/dev/null | cut -d' ' -f2")
    greedy.run("rm /dev/shm/a /dev/a")
    assert int(shared) >= 60 * MIB


def test_a_dump_of_a_crash_is_not_written_anywhere(greedy: Rental) -> None:
    # Exactly one: with none the kernel still feeds a host's program that takes dumps by a pipe.
    limit = greedy.run("grep 'core file' /proc/1/limits").split()
    assert limit[4:6] == ["1", "1"]


def test_names_are_answered_though_the_files_are_ours(greedy: Rental) -> None:
    name = f"berth-{greedy.desired.placement_id}-0"
    assert "Address" in greedy.run(f"nslookup {name} 127.0.0.11 | tail -n +3")
    assert greedy.run("hostname") == greedy.run("cat /etc/hostname") == "rental"
    assert greedy.run("hostname -i") == "127.0.1.1"
    assert greedy.run("hostname -f") == "rental"


def test_an_images_working_folder_is_its_commands_and_not_the_starters(greedy: Rental) -> None:
    assert greedy.run("readlink /proc/1/cwd") == "/"
    assert greedy.run("readlink /proc/$(pidof sleep)/cwd") == "/work"
    assert container(greedy, "{{.Config.WorkingDir}}") == ""


def test_an_images_labels_and_health_check_do_not_reach_the_host(greedy: Rental) -> None:
    assert "evil" not in container(greedy, "{{json .Config}}")
    assert container(greedy, "{{json .Config.Healthcheck}}") == "null"


def test_no_variable_reaches_the_programs_that_start_the_container(greedy: Rental) -> None:
    names = {
        line.partition("=")[0] for line in json.loads(container(greedy, "{{json .Config.Env}}"))
    }
    assert names == {"PATH", "FROM_IMAGE", "MINE", "NVIDIA_VISIBLE_DEVICES"}
    assert container(greedy, "{{json .Config.Env}}").count("void") == 1
    wished = ("LD_PRELOAD", "NVIDIA_IMEX_CHANNELS", "LD_AUDIT", "NVIDIA_MIG_CONFIG_DEVICES")
    command = greedy.run("tr '\\0' '\\n' </proc/$(pidof sleep)/environ").splitlines()
    session = greedy.run("env").splitlines()
    door = greedy.run("tr '\\0' '\\n' </proc/$(pidof sshd | tr ' ' '\\n' | tail -1)/environ")
    for name in wished:
        assert [line for line in command if line.startswith(f"{name}=")]
        assert [line for line in session if line.startswith(f"{name}=")]
        assert f"{name}=" not in door
