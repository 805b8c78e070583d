"""This will measure what a gateway costs in tokens, bytes and time, against the way past it.

Run it on a quiet machine: ``python -m benchmarks.gateway``. Replica, machine (the agent's own door)
and gateway are a process each over loopback; the client asks the replica directly and through the
gateway in turns, in every round. Paced streams are what a model sends; the unpaced one shows how
many bytes a second the way carries at most, every one of them encrypted twice.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import uvloop

REPLICA, ENDPOINT = UUID(int=1), UUID(int=2)
HTTP_PORT, KEY = 8080, "bre_benchmark"
TOKEN = b'data: {"token": "benchmark"}\n\n'
PACED, PACED_TOKENS, PACED_EVERY_S = 50, 40, 0.02
BULK_BYTES, BULK_PART = 32 << 20, bytes(64 << 10)
FIRSTS = 20


@dataclass(frozen=True, slots=True)
class Way:
    """How the client comes to the replica."""

    port: int
    prefix: str

    async def ask(self, query: str) -> tuple[float, bytes]:
        """Return the seconds until the body began, and the body."""
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        # HTTP/1.0: the body is what comes until the end, so that reading it costs the same.
        head = f"GET {self.prefix}/?{query} HTTP/1.0\r\nauthorization: Bearer {KEY}\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        await reader.readuntil(b"\r\n\r\n")
        parts = [await reader.read(1 << 16)]
        first_s = time.perf_counter() - began
        while part := await reader.read(1 << 20):
            parts.append(part)
        writer.close()
        return first_s, b"".join(parts)


async def measure(way: Way) -> tuple[float, float, float]:
    """Return tokens a second, bytes a second and the median seconds to the first byte."""
    firsts = [(await way.ask("tokens=1&every=0"))[0] for _ in range(FIRSTS)]
    began = time.perf_counter()
    asked = f"tokens={PACED_TOKENS}&every={PACED_EVERY_S}"
    streams = await asyncio.gather(*(way.ask(asked) for _ in range(PACED)))
    paced_s = time.perf_counter() - began
    assert all(body == TOKEN * PACED_TOKENS for _, body in streams)
    began = time.perf_counter()
    _, body = await way.ask("bulk=1")
    bulk_s = time.perf_counter() - began
    assert len(body) == BULK_BYTES
    return PACED * PACED_TOKENS / paced_s, BULK_BYTES / bulk_s, statistics.median(firsts)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be the replica: send what the query asks for."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        query = parse_qs(head.split(b" ")[1].partition(b"?")[2].decode())
        writer.write(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(BULK_BYTES // len(BULK_PART) if "bulk" in query else 0):
            writer.write(BULK_PART)
            await writer.drain()
        for _ in range(int(query.get("tokens", ["0"])[0])):
            writer.write(TOKEN)
            await writer.drain()
            await asyncio.sleep(float(query["every"][0]))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def replica(pipe: Connection) -> None:
    """Serve, and tell where."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def machine(pipe: Connection, gateway_key: str, replica_port: int) -> None:
    """Open the agent's door, and tell where and by which key it is known."""
    import asyncssh

    from miner_agent.access.door import Answers, NoAnswer, open_door
    from miner_agent.access.gateway import Gateways
    from miner_agent.keys import make_private_key
    from protocol.signing import machine_key_of

    async def look_up(placement: str, port: int) -> tuple[str, int] | None:
        return "127.0.0.1", replica_port

    async def nothing(*_: object) -> Any:
        raise NoAnswer

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        make_private_key(file)
        door = await open_door(
            host="127.0.0.1",
            port=0,
            host_key=file,
            answers=Answers(keys=lambda: (), facts=nothing, proof=nothing),
            gateways=Gateways(keys=lambda: (gateway_key,), replica=look_up),
        )
        line = asyncssh.read_private_key(str(file)).export_public_key().decode()
        pipe.send((door.get_port(), machine_key_of(line)))
        await door.wait_closed()


async def gateway(pipe: Connection, private: str, door: tuple[int, str]) -> None:
    """Serve callers, and tell where once the replica answers."""
    from datetime import UTC, datetime
    from random import Random

    import django

    django.setup()
    from marketplace.endpoints import key as keys
    from marketplace.endpoints.gateway import serving
    from marketplace.endpoints.gateway.application import Gateway
    from marketplace.endpoints.gateway.machines import Machines
    from marketplace.endpoints.gateway.pool import Pool
    from marketplace.endpoints.gateway.routes import Machine, Route, Target

    machines = Machines(key=private, public_only=False)
    pool = Pool(machines, chance=Random(1), clock=lambda: datetime.now(tz=UTC))
    target = Target(REPLICA, HTTP_PORT, Machine(key=door[1], address="127.0.0.1", port=door[0]))
    pool.follow({ENDPOINT: Route(ENDPOINT, 1, keys.digest(KEY), (target,))})
    while not pool.news():
        pool.look()
        await asyncio.sleep(0.05)
    server = serving.server(Gateway(pool), host="127.0.0.1", port=0)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.05)
    pipe.send(server.servers[0].sockets[0].getsockname()[1])
    await task


def part(
    processes: list[Any], program: Callable[..., Coroutine[Any, Any, None]], *told: object
) -> Any:
    """Start a part in a process of its own and return what it tells."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=run, args=(program, there, *told), daemon=True)
    process.start()
    processes.append(process)
    if not here.poll(60):
        raise SystemExit(f"The {program.__name__} did not start.")
    return here.recv()


def run(program: Callable[..., Coroutine[Any, Any, None]], *told: object) -> None:
    """Be one part."""
    # As each of them runs: the gateway on uvloop, the agent on what Python has.
    factory = uvloop.new_event_loop if program is gateway else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(program(*told))


def row(name: str, ratios: Sequence[float], *, unit: str = "x", worst: float) -> None:
    """Print the median and the worst round."""
    print(f"{name:42} median {statistics.median(ratios):6.2f} {unit}   worst {worst:6.2f} {unit}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    import os

    import asyncssh

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    key = asyncssh.generate_private_key("ssh-ed25519")
    processes: list[Any] = []
    try:
        replica_port = part(processes, replica)
        door = part(processes, machine, key.export_public_key().decode(), replica_port)
        port = part(processes, gateway, key.export_private_key().decode(), door)
        direct, through = Way(replica_port, ""), Way(port, f"/{ENDPOINT}")
        asyncio.run(compare(direct, through, rounds))
    finally:
        for process in processes:
            process.kill()
            process.join()


async def compare(direct: Way, through: Way, rounds: int) -> None:
    """Measure both in turns and print."""
    await measure(through)
    found = [(await measure(direct), await measure(through)) for _ in range(rounds)]
    tokens = [ours[0] / theirs[0] for theirs, ours in found]
    carried = [ours[1] / theirs[1] for theirs, ours in found]
    added_ms = [(ours[2] - theirs[2]) * 1000 for theirs, ours in found]
    row(f"tokens, {PACED} streams of 50 a second each", tokens, worst=min(tokens))
    row("first byte, added", added_ms, unit="ms", worst=max(added_ms))
    row("bytes, one unpaced stream", carried, worst=min(carried))
    mib_s = statistics.median(ours[1] for _, ours in found) / (1 << 20)
    print(f"{'bytes through the gateway':42} median {mib_s:6.1f} MiB/s")


if __name__ == "__main__":
    main()
