"""This will measure how soon many open pages hear that their rentals changed, and what they hold.

Run it with ``python -m benchmarks.live --browsers 2000 --rounds 9``. Each browser is another
renter's, with a rental of its own, and all of these change in one statement. What counts is the
event that says so. The floor (live_floor.py) keeps as many streams open and sends each an event of
the same length; it asks no database. Both run by uvicorn in one process, and are pushed in turns.

``--busy``: something is written all the time, so that rentals are looked at all the time.

What follows is told apart: each page then asks for its panel, and until ``--panels`` of them have
it, all asking at once, takes ``panels_ms``; ``panel_cpu_ms`` is what one takes of a core of this
process, beside the database's part. Real pages take turns (application.PANEL_MS).
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.cloning import clone, database, named
from tests.ports import free_port

#: that are opened at once
WAVE = 50
DEADLINE_S = 400
EVENT = b"event: changed\n"


class Browser:
    """One page that stays open."""

    def __init__(self, port: int, path: str, session: str) -> None:
        self._port, self._path, self._session = port, path, session
        self.event_bytes = 0

    async def open(self) -> None:
        """Ask for the stream, and take its first event."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = (
            f"GET {self._path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Cookie: sessionid={self._session}",
        )
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = await self._reader.readline()
        assert b" 200 " in status, status
        await self.event()

    async def event(self) -> None:
        """Wait for the next event and read it to its end."""
        lines: list[bytes] = []
        while EVENT not in lines:
            lines = []
            while (line := await self._line()).strip():
                lines.append(line)
        self.event_bytes = sum(map(len, lines)) + 1

    async def panel(self) -> None:
        """Ask for what the page shows, over another connection, and read it."""
        path = self._path.replace("/events", "/panel")
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}")
        request.add_header("Cookie", f"sessionid={self._session}")
        shown = await asyncio.to_thread(lambda: urllib.request.urlopen(request).read())
        assert b'id="state"' in shown

    async def _line(self) -> bytes:
        """Return a line of an event; those that say how long a chunk is are none."""
        while True:
            line = await self._reader.readline()
            assert line, "The stream ended."
            if not line.endswith(b"\r\n"):
                return line

    def close(self) -> None:
        """Leave the page."""
        self._writer.close()


def main() -> None:
    """Print kilobytes a stream, milliseconds until all are told, and both ratios, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--browsers", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--panels", type=int, default=100)
    parser.add_argument("--busy", action="store_true")
    options = parser.parse_args()
    with database() as url:
        pages = _furnish(options.browsers)
        with _written(url) if options.busy else nullcontext():
            found = asyncio.run(_measure(url, pages, options.rounds, options.panels))
        print(json.dumps(found, indent=2))


@contextmanager
def _written(url: str) -> Iterator[None]:
    """Let something be written all the time, a hundred times a second."""
    over = threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.wait(0.01):
                connection.execute("SELECT pg_current_xact_id()")

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        over.set()
        writing.join()


def _furnish(browsers: int) -> list[tuple[str, str]]:
    """Make as many renters, each with a rental that runs; return its stream and their session."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    from marketplace.accounts.models import User
    from marketplace.domain.ledger import TransferKind
    from marketplace.domain.money import MicroUsd
    from marketplace.ledger.actions import open_account
    from marketplace.ledger.actions.post import post
    from marketplace.rentals.models import Rental
    from tests.marketplace import scene
    from tests.marketplace.rentals.market import Market, give_key

    scene.NOW = timezone.now()
    market = Market.open(User.objects.create_user("host@example.com"))
    alice = User.objects.create_user("alice@example.com")
    give_key(alice)
    post(
        debit=open_account.outside(), credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(10_000_000), kind=TransferKind.TOP_UP, cause="alice's",
        note="", now=scene.NOW,
    )  # fmt: skip
    made = market.rent(alice, now=scene.NOW)
    market.run(made, at=scene.NOW, door_after_s=0)
    rental = Rental.objects.select_related("placement", "meter__hold__account").get()
    meter, hold = rental.meter, rental.meter.hold
    renter = f"{alice.pk} + i"
    clone(alice, browsers, id=renter, email="'renter-' || i || '@example.com'")
    clone(rental.placement, browsers, id=named("placement"))
    clone(hold.account, browsers, id=named("account"), user_id=renter)
    clone(
        hold,
        browsers,
        id=named("hold"),
        account_id=named("account"),
        user_id=renter,
        cause="'hold-' || i",
    )
    clone(
        meter,
        browsers,
        id=named("meter"),
        placement_id=named("placement"),
        hold_id=named("hold"),
    )
    clone(
        rental,
        browsers,
        id=named("rental"),
        renter_id=renter,
        placement_id=named("placement"),
        meter_id=named("meter"),
        idempotency_key="'key-' || i",
    )
    store, until = SessionStore(), timezone.now() + timedelta(days=1)
    told = {
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: alice.get_session_auth_hash(),
    }
    renters = User.objects.filter(email__startswith="renter-").in_bulk()
    Session.objects.bulk_create(
        Session(
            session_key=f"session{pk:020}", expire_date=until,
            session_data=store.encode(told | {SESSION_KEY: str(pk)}),
        )
        for pk in renters
    )  # fmt: skip
    rows = Rental.objects.filter(renter_id__in=renters).values_list("id", "renter_id")
    found = [(f"/rentals/{id_}/events", f"session{renter_id:020}") for id_, renter_id in rows]
    assert len(found) == browsers
    return found


@contextmanager
def _served(application: str, **environment: str) -> Iterator[tuple[int, int]]:
    """Yield the port and the process of a server that answers."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning", "--backlog", "4096"]
    with subprocess.Popen(command, env=os.environ | environment) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    _push(port)
                    break
                except urllib.error.HTTPError:
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
            yield port, process.pid
        finally:
            process.kill()


async def _measure(
    url: str, pages: Sequence[tuple[str, str]], rounds: int, panels: int
) -> dict[str, Any]:
    held: dict[str, float] = {}
    took: dict[str, list[float]] = {"ours": [], "floor": []}
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        ours, ours_pid = stack.enter_context(_served("marketplace.asgi:application"))
        browsers = {"ours": [Browser(ours, path, session) for path, session in pages]}
        held["ours"] = await _open(browsers["ours"], ours_pid)
        length = browsers["ours"][0].event_bytes
        floor = _served("benchmarks.live_floor:application", FLOOR_BYTES=str(length))
        port, pid = stack.enter_context(floor)
        browsers["floor"] = [Browser(port, "/events", "") for _ in pages]
        held["floor"] = await _open(browsers["floor"], pid)
        for number in range(rounds):
            for name in ("ours", "floor") if number % 2 else ("floor", "ours"):
                waiting = [asyncio.create_task(each.event()) for each in browsers[name]]
                await asyncio.sleep(1)
                if name == "ours":
                    connection.execute(
                        "UPDATE placements_placement SET door_missed_at ="
                        " CASE WHEN door_missed_at IS NULL THEN now() END"
                    )
                    began = time.perf_counter()
                else:
                    began = time.perf_counter()
                    await asyncio.to_thread(_push, port)
                await asyncio.wait_for(asyncio.gather(*waiting), DEADLINE_S)
                took[name].append((time.perf_counter() - began) * 1000)
        some = browsers["ours"][:panels]
        await some[0].panel()
        cpu_ms, began = _cpu_ms(ours_pid), time.perf_counter()
        await asyncio.gather(*(each.panel() for each in some))
        panels_ms = (time.perf_counter() - began) * 1000
        panel_cpu_ms = (_cpu_ms(ours_pid) - cpu_ms) / len(some)
        for each in (*browsers["ours"], *browsers["floor"]):
            each.close()
    ratios = [one / other for one, other in zip(took["ours"], took["floor"], strict=True)]
    return {
        "browsers": len(pages),
        "event_bytes": length,
        "kilobytes_a_stream": {name: round(one, 1) for name, one in held.items()},
        "memory_ratio": round(held["ours"] / held["floor"], 1),
        "all_told_ms": {name: _spread(some) for name, some in took.items()},
        "time_ratio": _spread(ratios),
        "panels": len(some),
        "panels_ms": round(panels_ms, 1),
        "panel_cpu_ms": round(panel_cpu_ms, 1),
    }


def _push(port: int) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{port}/push", timeout=60).read()


async def _open(browsers: Sequence[Browser], pid: int) -> float:
    """Open all, and return how many kilobytes the server holds for each."""
    await browsers[0].open()
    before = _resident_kb(pid)
    for at in range(1, len(browsers), WAVE):
        wave = asyncio.gather(*(each.open() for each in browsers[at : at + WAVE]))
        await asyncio.wait_for(wave, DEADLINE_S)
    return (_resident_kb(pid) - before) / len(browsers)


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("The server has ended.")


def _cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _spread(some: Sequence[float]) -> list[float]:
    return [round(one, 1) for one in (statistics.median(some), min(some), max(some))]


if __name__ == "__main__":
    main()
