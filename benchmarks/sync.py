"""This will measure what a signed sync costs the server, against the least that could take it in.

Run it with ``python -m benchmarks.sync --machines 1000 --rounds 10``. The floor (sync_floor.py)
verifies and writes every 50 ms, and so does the marketplace; both run by uvicorn on databases that
are copies of each other, and are loaded in turns with the same syncs at the same rate. Counted is
the processor time of the server's processes and of all of PostgreSQL, not that of this program.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from benchmarks.processor_time import used_s
from scripts.with_postgresql import server
from tests.journeys.stack import until
from tests.ports import free_port

KINDS = {
    "quiet": "a machine that tells nothing but that it is there",
    "running": "one placement that runs, nothing new about it",
    "metered": "one placement that runs, one signed interval and one reading of its use",
}
APPLICATIONS = {
    "marketplace": "marketplace.asgi:application",
    "floor": "benchmarks.sync_floor:application",
}
CONNECTIONS = 200
#: the machines of DESIGN.md's goal, and how often each syncs
GOAL_MACHINES, GOAL_EVERY_S = 10_000, 10


def main() -> None:
    """Print, for each kind of sync, ratios, their spread and processor times as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=1000, help="syncs a second")
    options = parser.parse_args()
    with server() as url:
        os.environ |= {"BERTH_DATABASE_URL": url, "BERTH_EMBEDDED": "1"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "marketplace.settings"
        told = _measure(url, options.machines, options.rounds, options.rate)
    print(json.dumps(told, indent=2))


def _measure(url: str, machines: int, rounds: int, rate: int) -> dict[str, Any]:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.db import connection

    from benchmarks.sync_fleet import Fleet

    fleet = Fleet()
    fleet.enrol(machines)
    connection.close()
    connection.close_pool()
    databases = _copies(url)
    with _running(databases) as servers:
        bench = _Bench(fleet, servers, databases, _postmaster(url), rate)
        bench.check()
        for kind in KINDS:
            for name in APPLICATIONS:
                bench.load(name, kind)
        found = {kind: bench.compare(kind, rounds) for kind in KINDS}
    return {"machines": machines, "rounds": rounds, "syncs_a_second": rate} | found


class _Bench:
    """Both servers, and the fleet that syncs with them."""

    def __init__(
        self,
        fleet: Any,
        servers: dict[str, tuple[int, int]],
        databases: dict[str, str],
        postmaster: int,
        rate: int,
    ) -> None:
        self.fleet, self.servers, self.databases = fleet, servers, databases
        self.postmaster, self.rate = postmaster, rate

    def check(self) -> None:
        """Fail where a forged sync is taken in, or a repeated one by the marketplace."""
        one = self.fleet.machines[0]
        for name, (_, port) in self.servers.items():
            forged = one.signed(name, b'{"agent_version":"1","boot_id":"","hold_s":0}', forged=True)
            good = one.request(name, "quiet")
            (first,) = asyncio.run(_send_all(port, [forged], self.rate))
            assert first[0] == 401, first
            answers = [asyncio.run(_send_all(port, [good], self.rate))[0] for _ in range(2)]
            assert answers[0][0] == 200, answers
            assert name == "floor" or answers[1][0] == 401, answers

    def compare(self, kind: str, rounds: int) -> dict[str, Any]:
        """Return what came of loading both servers in turns."""
        pairs = []
        for number in range(rounds):
            names = list(APPLICATIONS) if number % 2 else list(APPLICATIONS)[::-1]
            costs = {name: self.load(name, kind) for name in names}
            pairs.append((costs["marketplace"], costs["floor"]))
        ratios = [sum(ours) / sum(floor) for ours, floor in pairs]
        ours, floor = (list(side) for side in zip(*pairs, strict=True))
        whole = statistics.median(sum(cost) for cost in ours)
        return {
            "sync": KINDS[kind],
            "ratio_median": round(statistics.median(ratios), 2),
            "ratio_worst": round(max(ratios), 2),
            "ratio_best": round(min(ratios), 2),
            "marketplace_ms": _parts(ours),
            "floor_ms": _parts(floor),
            "cores_for_10000_machines_every_10_s": round(whole * GOAL_MACHINES / GOAL_EVERY_S, 2),
        }

    def load(self, name: str, kind: str) -> tuple[float, float]:
        """Return the seconds of server and database for one sync, once all were taken in."""
        pid, port = self.servers[name]
        with psycopg.connect(self.databases[name], autocommit=True) as database:
            database.execute("VACUUM")
        requests = [one.request(name, kind) for one in self.fleet.machines]
        before = used_s(pid), used_s(self.postmaster)
        answers = asyncio.run(_send_all(port, requests, self.rate))
        after = used_s(pid), used_s(self.postmaster)
        self._check_round(name, kind, answers)
        count = len(requests)
        return (after[0] - before[0]) / count, (after[1] - before[1]) / count

    def _check_round(self, name: str, kind: str, answers: Sequence[tuple[int, bytes]]) -> None:
        assert [status for status, _ in answers] == [200] * len(answers), answers[0]
        machines = self.fleet.machines
        with psycopg.connect(self.databases[name]) as database:
            rows = database.execute("SELECT id, sent_at_ms FROM machines_machine").fetchall()
            assert dict(rows) == {one.machine_id: one.chains[name].sent_at_ms for one in machines}
            if kind == "metered":
                rows = database.execute(
                    "SELECT placement_id, max(sequence), count(*) FROM metering_signedintervalrow"
                    " GROUP BY placement_id"
                ).fetchall()
                lasts = {one.placement_id: one.chains[name].last.interval for one in machines}
                assert {row[0]: row[1] for row in rows} == {
                    placement_id: last.sequence for placement_id, last in lasts.items()
                }
                assert all(highest + 1 == count for _, highest, count in rows)
        if name == "marketplace":
            for one, (_, body) in zip(machines, answers, strict=True):
                reply = json.loads(body)
                one.chains[name].nonce = reply["nonce"]
                (desired,) = reply["desired"]
                assert desired["placement_id"] == str(one.placement_id)
                last = one.chains[name].last
                assert desired["next_sequence"] == (last.interval.sequence + 1 if last else 0)


async def _send_all(port: int, requests: Sequence[bytes], rate: int) -> list[tuple[int, bytes]]:
    """Send each when its time comes, whether others were answered or not; return the answers."""
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.2
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(min(CONNECTIONS, len(requests))):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def send(number: int) -> tuple[int, bytes]:
        await asyncio.sleep(began + number / rate - loop.time())
        reader, writer = await free.get()
        writer.write(requests[number])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        free.put_nowait((reader, writer))
        return int(head.split(b" ")[1]), body

    answers = await asyncio.gather(*(send(number) for number in range(len(requests))))
    while not free.empty():
        free.get_nowait()[1].close()
    return answers


def _parts(costs: Sequence[tuple[float, float]]) -> dict[str, float]:
    servers, databases = zip(*costs, strict=True)
    return {
        "server": round(statistics.median(servers) * 1000, 3),
        "database": round(statistics.median(databases) * 1000, 3),
        "together": round(statistics.median(sum(cost) for cost in costs) * 1000, 3),
        "together_worst": round(max(sum(cost) for cost in costs) * 1000, 3),
    }


def _copies(url: str) -> dict[str, str]:
    """Return each server's database, after making the floor's out of the marketplace's."""
    other = url.replace("/berth?", "/floor?")
    with psycopg.connect(url.replace("/berth?", "/postgres?"), autocommit=True) as database:
        # As in production; what autovacuum would do falls between the rounds instead.
        for setting in ("fsync = on", "full_page_writes = on", "autovacuum = off"):
            database.execute(f"ALTER SYSTEM SET {setting}")
        database.execute("SELECT pg_reload_conf()")
        database.execute("CREATE DATABASE floor TEMPLATE berth")
    return {"marketplace": url, "floor": other}


def _postmaster(url: str) -> int:
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    return int((Path(folder) / "data" / "postmaster.pid").read_text().split()[0])


@contextmanager
def _running(databases: dict[str, str]) -> Iterator[dict[str, tuple[int, int]]]:
    """Yield the process and the port of each server."""
    started: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
    try:
        for name, application in APPLICATIONS.items():
            port = free_port()
            words = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
            environment = os.environ | {
                "BERTH_DATABASE_URL": databases[name],
                "FLOOR_DATABASE": databases["floor"],
                "BERTH_LOG_LEVEL": "WARNING",
            }
            quiet = ["--no-access-log", "--log-level", "warning"]
            started[name] = subprocess.Popen([*words, *quiet], env=environment), port
        for _, port in started.values():
            until(lambda port=port: _listens(port), "the server listens")  # type: ignore[misc]
        yield {name: (process.pid, port) for name, (process, port) in started.items()}
    finally:
        for process, _ in started.values():
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=20)


def _listens(port: int) -> bool:
    try:
        asyncio.run(_connect(port))
    except OSError:
        time.sleep(0.1)
        return False
    return True


async def _connect(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


if __name__ == "__main__":
    main()
