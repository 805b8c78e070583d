"""This will be the machines and the marketplace of ``benchmarks.sweep``, each a process."""

import asyncio
import json
import multiprocessing
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from protocol.validator import Target
from tests.validator import builders, gpu_machine
from tests.validator.machine_door import Machine, opened

#: of the machine whose facts are read: some 12 kB
GPUS = 8


@dataclass(frozen=True, slots=True)
class Places:
    """Where machines are, by what they are, and the marketplace's pipe."""

    good: int
    #: the same machine, at the end of a long line
    far: int
    #: one port refuses, one answers nothing at all
    dead: tuple[int, int]
    #: takes connections and says nothing
    tarpit: int
    pipe: Connection

    def tell(self, targets: Sequence[Target]) -> None:
        """Let the marketplace list these."""
        self.pipe.send(("list", {str(each.machine_id): each.model_dump_json() for each in targets}))
        self.pipe.recv()

    def told(self) -> list[bytes]:
        """Return what the marketplace was handed of verdicts since."""
        self.pipe.send(("told", None))
        return list(self.pipe.recv())


async def machines(pipe: Connection, key: str, validator_key: str, delay_s: float) -> None:
    """Open every door, and tell where."""
    machine = Machine(
        load_ssh_private_key(key.encode(), None),
        load_ssh_private_key(validator_key.encode(), None),
        facts=gpu_machine.facts(GPUS).model_dump_json().encode() + b"\n",
    )
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    place = full.getsockname()
    # Nobody takes these, and no more are let wait: whoever else comes is never answered.
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.settimeout(0)
        each.connect_ex(place)
    gone = socket.socket()
    gone.bind(("127.0.0.1", 0))
    async with opened(machine):
        tarpit = await asyncio.start_server(_hold, "127.0.0.1", 0)
        far = await asyncio.start_server(
            lambda reader, writer: _carry(reader, writer, machine.port, delay_s), "127.0.0.1", 0
        )
        where = [server.sockets[0].getsockname()[1] for server in (far, tarpit)]
        pipe.send((machine.port, where[0], (gone.getsockname()[1], place[1]), where[1]))
        await asyncio.Event().wait()


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, delay_s: float
) -> None:
    """Carry bytes both ways, each a while later."""
    there = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_later(reader, there[1], delay_s), _later(there[0], writer, delay_s))


async def _later(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    loop = asyncio.get_running_loop()
    while content := await reader.read(65_536):
        loop.call_later(delay_s, writer.write, content)
    loop.call_later(delay_s, writer.close)


async def marketplace(pipe: Connection) -> None:
    """Serve the machines that the pipe lists, and keep the verdicts for it."""
    listed: dict[str, str] = {}
    told: list[bytes] = []
    epoch = builders.epoch(builders.cpu_record()).model_dump_json().encode()

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if method == "POST":
            if not path.endswith("/verdicts"):
                return 201, b"{}"
            told.append(body)
            taken = {"recorded": len(json.loads(body)["verdicts"]), "refused": []}
            return 201, json.dumps(taken).encode()
        if path.partition("?")[0].endswith("/targets"):
            wanted = parse_qs(urlsplit(path).query).get("machine_id")
            found = listed.values() if wanted is None else [listed[each] for each in wanted]
            return 200, f"[{','.join(found)}]".encode()
        return (200, epoch) if path.endswith("/epoch") else (404, b"{}")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            lengths = [line for line in head.lower().split(b"\r\n") if b"content-length:" in line]
            length = int(lengths[0].split(b":")[1]) if lengths else 0
            status, content = answer(method, path, await reader.readexactly(length))
            writer.write(
                f"HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\n"
                f"content-length: {len(content)}\r\n\r\n".encode()
                + content
            )
        writer.close()

    def heed() -> None:
        word, content = pipe.recv()
        if word == "list":
            listed.clear()
            listed.update(content)
            told.clear()
            pipe.send(len(listed))
        else:
            pipe.send(list(told))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asyncio.get_running_loop().add_reader(pipe.fileno(), heed)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def part(
    processes: list[Any], program: Callable[..., Coroutine[Any, Any, None]], *told: object
) -> tuple[Any, Connection]:
    """Start a part in a process of its own; return what it tells, and its pipe."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=_run, args=(program, there, *told), daemon=True)
    process.start()
    processes.append(process)
    if not here.poll(60):
        raise SystemExit(f"The {program.__name__} did not start.")
    return here.recv(), here


def _run(program: Callable[..., Coroutine[Any, Any, None]], *told: object) -> None:
    import logging

    logging.getLogger("asyncssh").setLevel(logging.ERROR)
    asyncio.run(program(*told))
