"""A machine in a network of its own, with a world around it that no other machine sees.

Its Docker Engine maps users, as a host's should. Its agent, its marketplace and its renters are in
the same network; behind one cable are an internet, a local network and a metadata service.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protocol.agent import ObservedState
from scripts import subordinate_ids
from tests.miner_agent import images
from tests.miner_agent.host import Host
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.own_engine import OwnEngine
from tests.miner_agent.test_rental import Rental

IMAGE = "berth-test-tenant:1"
OPTIONS = (f"--userns-remap={subordinate_ids.USER}:{subordinate_ids.GROUP}", "--live-restore")
MACHINE, ROUTER = "198.51.100.1", "198.51.100.254"
INTERNET, NAME_SERVER = "203.0.113.10", "203.0.113.53"
#: what no rental may reach, although the machine does
LOCAL = (
    *("10.99.0.2", "172.30.9.9", "192.168.77.2", "100.64.9.9", "169.254.169.254"),
    *("168.63.129.16", "192.0.0.192"),
)
PORTS = (22, 25, 80, 443, 465, 587)
#: of both tenants, inside
PUBLISHED = 9090
CLONE_NEWNET = 0x40000000
KERNEL = ctypes.CDLL(None, use_errno=True)

#: answers on every address of the world, and every name with the internet's one server
SERVE = f"""
import socket
listening = [socket.create_server(("0.0.0.0", port)) for port in {PORTS}]
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("{NAME_SERVER}", 53))
print("up", flush=True)
address = socket.inet_aton("{INTERNET}")
while True:
    asked, who = names.recvfrom(512)
    question = asked[12:asked.index(0, 12) + 5]
    found = question[-4:-2] == bytes((0, 1))
    head = asked[:2] + bytes((129, 128, 0, 1, 0, int(found), 0, 0, 0, 0))
    answer = bytes((192, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)) + address if found else b""
    names.sendto(head + question + answer, who)
"""
ADDRESSES = f"""
for address in {INTERNET} {NAME_SERVER} {" ".join(LOCAL)}; do
    ip address add $address/32 dev lo
done
ip link set lo up
exec "$0" -c "$1"
"""
CABLE = f"""
ip link add world type veth peer name machine netns $1
ip address add {MACHINE}/24 dev world
ip link set world up
nsenter --target $1 --net sh -ec '
    ip address add {ROUTER}/24 dev machine
    ip link set machine up'
ip route add default via {ROUTER}
"""


@dataclass
class Lab:
    """The machine, its two tenants, and how to be on the machine or out in the world."""

    host: Host
    first: Rental
    second: Rental
    engine: OwnEngine
    world: subprocess.Popen[str]

    def outside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the world."""
        enter = ["nsenter", "--target", str(self.world.pid), "--net"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False)

    def on_machine(self, *command: str) -> str:
        """Run a command in the machine's network and return what it printed."""
        whole = [*self.engine.inside(), *command]
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def knock(address: str, port: int) -> tuple[str, ...]:
    """Return the command that ends well where somebody answers."""
    return ("busybox", "nc", "-w", "1", address, str(port), "-e", "true")


@contextlib.contextmanager
def lab(folder: Path, **settings: str) -> Iterator[Lab]:
    """Yield a machine on which two tenants have one core each."""
    with contextlib.ExitStack() as leaving:
        engine = leaving.enter_context(mapped_engine())
        world = leaving.enter_context(around(engine))
        images.make(IMAGE, engine=engine.address)
        host = leaving.enter_context(agent(engine, folder, network="10.213.0.0/24", **settings))
        wishes = [
            host.desire(ram_bytes=256 << 20, disk_bytes=96 << 20, ports=(PUBLISHED,))
            for _ in range(2)
        ]
        first, second = (
            Rental(host, wish, host.market.wait_for(wish.placement_id, ObservedState.RUNNING))
            for wish in wishes
        )
        yield Lab(host, first, second, engine, world)


@contextlib.contextmanager
def agent(engine: OwnEngine, folder: Path, *, network: str, **settings: str) -> Iterator[Host]:
    """Yield an agent of the machine, which knows of no other one's cores."""
    with inside(engine):
        market = LoopbackMarket()
    host = Host(folder, market, image=IMAGE, network=network)
    host.inside = engine.inside()
    host.environment |= {
        "DOCKER_HOST": engine.address,
        "BERTH_AGENT_ADDRESS": MACHINE,
        "BERTH_AGENT_DNS": NAME_SERVER,
        "BERTH_AGENT_ALLOW_UNISOLATED": "0",
        **settings,
    }
    host.enroll()
    host.start("--ephemeral")
    yield host
    host.stop()
    market.close()


@contextlib.contextmanager
def mapped_engine() -> Iterator[OwnEngine]:
    """Yield a Docker Engine that maps users; needs root."""
    # Not in pytest's folder: that is closed to the mapped root.
    folder = Path(tempfile.mkdtemp(prefix="berth-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    assert subordinate_ids.refusal(folder) is None
    before = subordinate_ids.had()
    subordinate_ids.add()
    engine = OwnEngine(folder, *OPTIONS)
    try:
        engine.start()
        yield engine
        engine.remove()
    finally:
        subordinate_ids.remove_added(before)
        shutil.rmtree(folder)


@contextlib.contextmanager
def around(engine: OwnEngine) -> Iterator[subprocess.Popen[str]]:
    """Yield the process that is the world around an engine's network."""
    command = ["unshare", "--net", "sh", "-ec", ADDRESSES, sys.executable, SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as world:
        assert world.stdout is not None
        try:
            assert world.stdout.readline() == "up\n"
            connect = [*engine.inside(), "sh", "-ec", CABLE, "sh", str(world.pid)]
            subprocess.run(connect, check=True)
            yield world
        finally:
            world.kill()


@contextlib.contextmanager
def inside(engine: OwnEngine) -> Iterator[None]:
    """Let this thread be in the engine's network; what it listens on stays there."""
    thread = threading.get_native_id()
    back = os.open(f"/proc/self/task/{thread}/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{engine.network.pid}/ns/net", os.O_RDONLY)
    try:
        assert KERNEL.setns(there, CLONE_NEWNET) == 0, ctypes.get_errno()
        yield
    finally:
        assert KERNEL.setns(back, CLONE_NEWNET) == 0, ctypes.get_errno()
        os.close(back)
        os.close(there)
