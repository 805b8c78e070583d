"""What a proof runs in: nothing of the machine can be reached from there, and its limits hold."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from miner_agent import loops
from miner_agent.engine import Engine
from miner_agent.gpu_access import GpuDoor
from miner_agent.mps import Mps
from miner_agent.proof_container import OWN_BYTES, PIDS_MOST, DockerProofContainer, Room
from miner_agent.proof_image import LABEL, ProofImage
from miner_agent.scratch import SIZE_BYTES, Scratch
from prover import bundle
from tests.miner_agent.access import probing
from tests.miner_agent.access.probing import ask
from tests.miner_agent.host import docker, maps_users

MIB = 1 << 20
MACHINE = f"t{os.getpid()}"
ROOM = Room(cores=(0,), gpu_uuids=(), memory_bytes=32 * MIB)


@pytest.fixture(scope="module")
def container(
    engine: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerProofContainer]:
    image = ProofImage(Engine(), machine=MACHINE, program=probing.PROGRAM)
    made = container_of(f"t{os.getpid()}", image, tmp_path_factory.mktemp("proofs"))
    yield made
    made.remove()
    image.remove()


def container_of(machine: str, image: ProofImage, folder: Path) -> DockerProofContainer:
    talking = Engine()
    return DockerProofContainer(
        talking,
        machine=machine,
        gpus=GpuDoor(talking, mps=Mps(folder / "mps", slots=1)),
        image=image,
        scratch=Scratch(folder, root_inside=lambda: talking.facts().root_inside),
    )


@pytest.fixture
def line(container: DockerProofContainer) -> Iterator[socket.socket]:
    with container.start(ROOM) as line:
        yield line
    container.remove()


def name() -> str:
    return f"berth-proof-t{os.getpid()}"


def test_it_is_nobody_and_alone(line: socket.socket) -> None:
    assert ask(line, "[os.getuid(), os.getgid(), os.getgroups()]") == [65534, 65534, [65534]]
    status = str(ask(line, "open('/proc/self/status').read()"))
    told = dict(one.split(":\t", 1) for one in status.splitlines() if ":\t" in one)
    for right in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(told[right], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert ask(line, "[one for one in os.listdir('/proc') if one.isdigit()]") == ["1"]
    assert ask(line, "int(open('/proc/self/oom_score_adj').read())") == 1000
    if maps_users():
        process = docker("inspect", "-f", "{{.State.Pid}}", name())
        assert Path("/proc", process).stat().st_uid > 65534


def test_no_network_is_there(line: socket.socket) -> None:
    assert ask(line, "os.listdir('/sys/class/net')") == ["lo"]
    for address in ("127.0.0.1", "192.0.2.1", "169.254.169.254"):
        assert ask(line, f"socket.create_connection(('{address}', 22), 1)") in (
            "ConnectionRefusedError",
            "OSError",
        )
    assert ask(line, "os.path.exists('/var/run/docker.sock')") is False


def test_no_file_of_the_machine_is_there_and_none_can_be_written(line: socket.socket) -> None:
    left = set(ask(line, "os.listdir('/')"))  # type: ignore[call-overload]
    assert not left & {"home", "srv", "boot", "opt", "mnt", "media", "bin", "sbin"}
    assert ask(line, "sorted(os.listdir('/etc'))") == ["hostname", "hosts", "mtab", "resolv.conf"]
    found = "[one for one in ('/usr/bin/sh', '/bin/sh', '/bin/busybox') if os.path.exists(one)]"
    assert ask(line, found) == []
    for path in ("/here", "/prover", "/etc/hosts", "/proc/sys/vm/swappiness"):
        assert ask(line, f"open('{path}', 'w').close()") in ("OSError", "PermissionError")
    assert ask(line, "len(open('/tmp/kept', 'wb').write(bytes(32 << 20)) or '')") == "OSError"
    assert ask(line, "os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize") == 16 * MIB
    assert ask(line, "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0))") == "PermissionError"


def test_its_limits_are_those_of_its_room(line: socket.socket) -> None:
    settings = json.loads(docker("inspect", name()))[0]["HostConfig"]
    assert settings["Memory"] == settings["MemorySwap"] == ROOM.memory_bytes + OWN_BYTES
    assert settings["PidsLimit"] == PIDS_MOST
    assert settings["CpusetCpus"] == "0"
    assert settings["LogConfig"]["Type"] == "none"
    assert ask(line, "list(os.sched_getaffinity(0))") == [0]
    assert settings["DeviceRequests"] is None
    assert ask(line, "sys.argv[1:]") == [
        f"--memory-bytes={ROOM.memory_bytes}",
        "--cpu-s=600",
        "--cores=0",
        "--scratch=/scratch",
    ]


def test_its_disk_ends_and_nothing_of_it_is_left(
    container: DockerProofContainer, line: socket.socket
) -> None:
    place = json.loads(docker("inspect", name()))[0]["Mounts"][0]["Source"]
    assert loops.is_mounted(Path(place))
    fill = "open('/scratch/kept', 'wb', 0)"
    assert ask(line, f"fill({fill})") == "OSError"
    assert 256 * MIB < int(str(ask(line, "os.stat('/scratch/kept').st_size"))) < SIZE_BYTES
    container.remove()
    assert not loops.is_mounted(Path(place))
    assert os.listdir(Path(place)) == []
    assert os.listdir(Path(place).parent) == ["scratch"]


def test_it_dies_of_taking_too_much_memory(
    container: DockerProofContainer, line: socket.socket
) -> None:
    line.sendall(json.dumps("len(bytearray(os.urandom(1)) * (512 << 20))").encode() + b"\n")
    line.settimeout(90)
    assert line.recv(1) == b""
    assert container.status() == 137


def test_the_end_of_its_line_is_its_own(line: socket.socket) -> None:
    """So nothing goes on where an agent is killed and never comes back."""
    line.shutdown(socket.SHUT_RDWR)
    deadline = time.monotonic() + 90
    while docker("inspect", "-f", "{{.State.Running}}", name()) != "false":
        assert time.monotonic() < deadline


def test_a_container_of_its_name_that_is_not_its_own_is_left_alone(
    container: DockerProofContainer, image: str
) -> None:
    made = docker("create", "--name", name(), image)
    try:
        container.remove()
        assert docker("ps", "-aq", "--no-trunc", "--filter", f"name={name()}") == made
    finally:
        docker("rm", made)


def test_an_image_is_made_once_for_one_program_and_goes_with_the_next(
    container: DockerProofContainer, tmp_path: Path
) -> None:
    with container.start(ROOM):
        used = docker("inspect", "-f", "{{.Image}}", name())
    container.remove()
    assert ProofImage(Engine(), machine=MACHINE, program=probing.PROGRAM).ready().image_id == used
    image = ProofImage(Engine(), machine=MACHINE, program=bundle.program())
    made = image.ready().image_id
    assert docker("images", "-q", "--no-trunc", "--filter", f"label={LABEL}.{MACHINE}").split() == [
        made
    ]
    real = container_of(f"r{os.getpid()}", image, tmp_path)
    the_prover_itself_runs_in(real)


def the_prover_itself_runs_in(real: DockerProofContainer) -> None:
    try:
        with real.start(ROOM) as line:
            line.settimeout(90)
            line.sendall(b'{"op":"hello","bind":"00"}\n')
            said = probing.hear(line)
            assert (said["op"], said["affinity"]) == ("hello", 1)
            line.sendall(b'{"op":"disk_fill","nonce":"00","mib":16}\n{"op":"bye"}\n')
            said = probing.hear(line)
            assert said == {"op": "disk_fill", "mib": 16, "direct": said["direct"]}
            assert real.status() == 0
    finally:
        real.remove()
