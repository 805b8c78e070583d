"""This will read what the site's database and the machine itself hold, past every program."""

import json
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

#: what must be empty once everything ended: a title and its query
LEFT_OVER = {
    "passes that fail": "SELECT name FROM oversight_passrun WHERE failing",
    "placements not freed": "SELECT id FROM placements_placement WHERE freed_at IS NULL",
    "placements not gone": "SELECT id FROM placements_placement WHERE gone_at IS NULL",
    "leases": "SELECT id FROM placements_lease",
    "meters open": "SELECT id FROM metering_meter WHERE closed_at IS NULL",
    "holds open": "SELECT id FROM ledger_hold WHERE released_at IS NULL",
    "money held": "SELECT id FROM ledger_account WHERE kind = 'hold'"
    " AND credits_posted <> debits_posted",
    "machines not free": "SELECT id FROM machines_machine WHERE cpus_free <> cpus_total"
    " OR memory_bytes_free <> memory_bytes_total OR disk_bytes_free <> disk_bytes_total",
    "accounts that count wrong": "SELECT id FROM ledger_account AS account WHERE debits_posted <>"
    " (SELECT coalesce(sum(amount_microusd), 0) FROM ledger_transfer WHERE debit_id = account.id)"
    " OR credits_posted <>"
    " (SELECT coalesce(sum(amount_microusd), 0) FROM ledger_transfer WHERE credit_id = account.id)",
}
BILLED = """SELECT placement_id, billable_from, billable_to FROM metering_signedintervalrow
    WHERE billable_from IS NOT NULL ORDER BY placement_id, billable_from"""
#: no message takes longer here
MESSAGE = timedelta(seconds=1)


class Books:
    """The database file, read only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def heard_at(self) -> datetime:
        """Return when the site last heard its machine."""
        ((text,),) = self._rows("SELECT max(last_seen_at) FROM machines_machine")
        return _utc(text)

    def left_over(self) -> dict[str, list[str]]:
        """Return what is still held, by what it is; empty where everything was given back."""
        found = {title: [row[0] for row in self._rows(query)] for title, query in LEFT_OVER.items()}
        return {title: rows for title, rows in found.items() if rows}

    def billed(self) -> list[tuple[UUID, datetime, datetime]]:
        """Return every stretch of time that was billed, each placement's in order."""
        return [(UUID(hex=one), _utc(start), _utc(end)) for one, start, end in self._rows(BILLED)]

    def newest_rental(self) -> str:
        """Return the id of what was rented last."""
        ((rental_id,),) = self._rows(
            "SELECT id FROM rentals_rental ORDER BY started_at DESC LIMIT 1"
        )
        return str(UUID(rental_id))

    def ending(self) -> tuple[str, str, str]:
        """Return state, blame and reason code of the newest placement."""
        (row,) = self._rows(
            "SELECT state, blame, reason_code FROM placements_placement"
            " ORDER BY created_at DESC LIMIT 1"
        )
        state, blame, code = row
        return state, blame, code

    def are_all_reachable(self) -> bool:
        """Say whether the door of everything that runs was seen from outside."""
        return not self._rows(
            "SELECT id FROM placements_placement WHERE state = 'running' AND reachable_at IS NULL"
        )

    def _rows(self, query: str, *values: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=60)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()


class Witness:
    """Docker's own account of what became of which container when."""

    def __init__(self, machine: str) -> None:
        wanted = ["type=container", f"label=berth.machine={machine}"]
        wanted += [f"event={event}" for event in ("create", "start", "die", "destroy")]
        filters = [part for one in wanted for part in ("--filter", one)]
        command = ["docker", "events", "--format", "{{json .}}", *filters]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._events: list[dict[str, Any]] = []
        self._trap: tuple[str, Callable[[], None], threading.Event] | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._process.terminate()
        self._process.wait(timeout=60)
        self._thread.join(timeout=60)

    def arm(self, event: str, strike: Callable[[], None]) -> threading.Event:
        """Strike when Docker next tells of such an event; return what is set by then."""
        sprung = threading.Event()
        self._trap = (event, strike, sprung)
        return sprung

    def lives(self, placement_id: UUID) -> list[tuple[datetime, datetime]]:
        """Return from when to when the placement's containers ran; a live one runs until now."""
        found: list[tuple[datetime, datetime]] = []
        for event in list(self._events):
            if event["Actor"]["Attributes"]["berth.placement"] != str(placement_id):
                continue
            at = datetime.fromtimestamp(event["timeNano"] / 1e9, tz=UTC)
            if event["Action"] == "start":
                found.append((at, datetime.now(tz=UTC)))
            elif event["Action"] == "die":
                found[-1] = (found[-1][0], at)
        return found

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            self._events.append(event)
            if self._trap is not None and self._trap[0] == event["Action"]:
                (_, strike, sprung), self._trap = self._trap, None
                strike()
                sprung.set()


def unproven(
    billed: Sequence[tuple[UUID, datetime, datetime]], witness: Witness
) -> list[tuple[UUID, datetime, datetime]]:
    """Return the billed stretches in which the container did not run or that were billed before."""
    lies = []
    until: dict[UUID, datetime] = {}
    for placement_id, start, end in billed:
        ran = any(_covers(life, start, end) for life in witness.lives(placement_id))
        if not ran or start < until.get(placement_id, start):
            lies.append((placement_id, start, end))
        until[placement_id] = end
    return lies


def _covers(life: tuple[datetime, datetime], start: datetime, end: datetime) -> bool:
    """Say whether a billed stretch is of this life.

    The site dates what it hears from the moment it hears it, so all of a life shorter than the
    way of a message may seem later than it was; never longer.
    """
    began, died = life
    late = MESSAGE if died - began < MESSAGE else timedelta(0)
    return began <= start and end <= died + late and end - start <= died - began


def disks_left(folder: Path) -> list[str]:
    """Return the loop devices, mounts and files of rentals that the agent at ``folder`` keeps."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    loops = subprocess.run(["losetup", "-l", "-n"], capture_output=True, text=True, check=True)
    lines = [line for line in [*mounts, *loops.stdout.splitlines()] if f"{folder}/disks" in line]
    kept = [*(folder / "disks").glob("*"), *(folder / "doors").glob("*")]
    return lines + [str(path) for path in kept]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
