"""Lives of the real agent, one after the other, each forked from here and killed from outside.

Started as a program: a line on stdin asks for a life, answered with its process id, then with how
it ended. To fork is a hundred times quicker than to start Python and import everything.
"""

import asyncio
import contextlib
import gc
import http.client
import importlib
import json
import logging
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from miner_agent import disk, firewall, loops, machine, settings
from miner_agent.agent import Agent
from miner_agent.command import CommandFailed
from miner_agent.domain.reply import Heard
from miner_agent.home import AlreadyRunning
from miner_agent.machine import Machine
from miner_agent.supervisor import Supervisor
from protocol.agent import SyncReply, SyncRequest

#: milliseconds of the machine's clock in one of ours: intervals close and retries come sooner
SPEED = 200
REFUSED = 3


class FastClock:
    """The machine's clock: it goes faster, and goes on while no agent lives."""

    def boot_ms(self) -> int:
        return int(time.monotonic() * 1000 * SPEED)

    def wall_ms(self) -> int:
        return self.boot_ms()

    def boot_id(self) -> str:
        return "boot"


class SocketMarket:
    """The marketplace on a unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def sync(self, request: SyncRequest) -> Heard:
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        try:
            body = request.model_dump_json().encode()
            writer.write(struct.pack(">I", len(body)) + body)
            size = struct.unpack(">I", await reader.readexactly(4))[0]
            return Heard(SyncReply.model_validate_json(await reader.readexactly(size)))
        finally:
            writer.close()


class _Unix(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


class FileTransfers:
    """The marketplace's files: each is one byte long, and whatever comes is kept."""

    def __init__(self, **told: object) -> None:
        pass

    def get(self, digest: str, *, size_bytes: int, into: Path, goes_on: Callable[[], None]) -> None:
        into.write_bytes(b"x" * size_bytes)
        goes_on()

    def put(self, placement_id: object, *, goes_on: Callable[[], None], **file: object) -> None:
        goes_on()

    def close(self) -> None:
        pass


def run_tool(path: Path, command: list[str]) -> str:
    """Let the stand-in do what a disk tool does."""
    line = _Unix(str(path))
    try:
        line.request("POST", "/run", json.dumps([str(word) for word in command]))
        answer = line.getresponse()
        said = json.loads(answer.read())
    finally:
        line.close()
    if answer.status != 200:
        raise CommandFailed(said["message"])
    return str(said)


def machine_of(root: Path) -> Machine:
    """Return the machine whose state is below ``root``."""
    told = settings.read(
        {
            "BERTH_AGENT_HOME": str(root / "agent"),
            "BERTH_AGENT_PORTS": "20000-20999",
            "BERTH_AGENT_DISK_BYTES": str(1 << 40),
            "BERTH_AGENT_IMAGES": "berth-test-*",
            "DOCKER_HOST": f"unix://{root}/docker.sock",
        }
    )
    here = Machine(told)
    here.clock = FastClock()  # type: ignore[assignment]
    return here


def live(root: Path) -> None:
    """Be an agent until something ends it."""
    here = machine_of(root)
    with here.alone():
        journal = here.journal()
        agent = here.agent(here.engine(), journal, root / "agent" / "kits" / ("0" * 16))
        asyncio.run(serve(agent, root / "market.sock"))


async def serve(agent: Agent, market: Path) -> None:
    """Drive the agent as its own program does."""
    await Supervisor(agent=agent, market=SocketMarket(market), hardware=lambda: None).run()


def warm_up(root: Path) -> None:
    """Do once what the first life of a process does: lazy imports take longer than a life."""
    here = machine_of(root)
    engine, journal = here.engine(), here.journal()
    agent = here.agent(engine, journal, root / "agent" / "kits" / ("0" * 16))
    agent.request()
    agent.plan()
    engine.api.close()
    journal.close()


def stand_in(root: Path, gpus: int) -> None:
    """Put the stand-ins in the place of this machine's own tools."""
    path = root / "docker.sock"
    disk.run = loops.run = lambda command, **how: run_tool(path, command)
    disk.missing = lambda *storage: ()
    loops.MOUNTS = root / "mountinfo"
    firewall.missing = lambda: ("leave the firewall alone",)
    machine.facts.usable_cores = lambda: tuple(range(16))
    machine.HttpTransfers = FileTransfers
    machine.read_gpus = lambda *told, **named: tuple(
        SimpleNamespace(uuid=f"GPU-{number}") for number in range(gpus)
    )


def tell(number: int) -> None:
    """Say a number to whoever asks for lives."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    root, gpus, faults = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    logging.disable(logging.CRITICAL)
    stand_in(root, gpus)
    for fault in faults:
        getattr(importlib.import_module("tests.faults.kills.planted"), fault)()
    warm_up(root)
    # What a collection touches, a fork has to copy.
    gc.collect()
    gc.freeze()
    gc.disable()
    tell(0)
    for _ in sys.stdin:
        life = os.fork()
        if life == 0:
            status = 1
            try:
                live(root)
            except AlreadyRunning:
                status = REFUSED
            except BaseException as error:
                with contextlib.suppress(OSError):
                    (root / f"crash-{os.getpid()}").write_text(repr(error))
            finally:
                os._exit(status)
        tell(life)
        tell(os.waitpid(life, 0)[1])


if __name__ == "__main__":
    main()
