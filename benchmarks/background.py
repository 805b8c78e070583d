"""This will measure the processor time of what passes do for one row, against SKIP LOCKED.

Run it with ``python -m benchmarks.background --rows 1000 --rounds 5``. The floor writes the same
rows fifty at a time by one statement. Processor time is that of this process and the database.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.cloning import clone, database, named, vacuum
from benchmarks.processor_time import used_s

OFFLINE = """
WITH due AS (
  SELECT id, last_seen_at, uptime_counted_at FROM machines_machine
  WHERE online AND last_seen_at < %(now)s - interval '1 minute'
  ORDER BY last_seen_at, id LIMIT 50 FOR UPDATE SKIP LOCKED
), days AS (
  INSERT INTO machines_uptimeday (machine_id, day, up_ms)
  SELECT id, last_seen_at::date, extract(epoch FROM last_seen_at - uptime_counted_at) * 1000
  FROM due WHERE uptime_counted_at < last_seen_at
  ON CONFLICT (machine_id, day) DO UPDATE SET up_ms = machines_uptimeday.up_ms + excluded.up_ms
)
UPDATE machines_machine SET online = false, uptime_counted_at = due.last_seen_at
FROM due WHERE machines_machine.id = due.id
"""
HOLDS = """
WITH due AS (
  SELECT hold.id, hold.account_id AS held, wallet.id AS wallet,
    account.credits_posted - account.debits_posted AS amount
  FROM ledger_hold hold JOIN ledger_account account ON account.id = hold.account_id
  JOIN ledger_account wallet ON wallet.user_id = hold.user_id AND wallet.kind = 'wallet'
  WHERE released_at IS NULL AND expires_at <= %(now)s
  ORDER BY expires_at, hold.id LIMIT 50 FOR UPDATE OF hold SKIP LOCKED
), moved AS (
  INSERT INTO ledger_transfer (debit_id, credit_id, amount_microusd, kind, cause, note, at)
  SELECT held, wallet, amount, 'release', 'hold:' || id || ':expired', '', %(now)s FROM due
), gone AS (
  UPDATE ledger_account SET debits_posted = debits_posted + amount
  FROM due WHERE ledger_account.id = held
), come AS (
  UPDATE ledger_account SET credits_posted = credits_posted + sums.amount
  FROM (SELECT wallet, sum(amount) AS amount FROM due GROUP BY wallet) AS sums
  WHERE ledger_account.id = sums.wallet
)
UPDATE ledger_hold SET state = 'voided', released_at = %(now)s
FROM due WHERE ledger_hold.id = due.id
"""
FUND = 1_000_000


def main() -> None:
    """Print the processor time of one row and its ratio to the floor, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000, help="in each round and way")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with database():
        print(json.dumps(_measure(options.rows, options.rounds), indent=2))


def _measure(rows: int, rounds: int) -> dict[str, Any]:
    from marketplace.ledger.actions.hold import release_expired
    from marketplace.ledger.audit import audit
    from marketplace.machines.actions.mark_offline import mark_offline
    from tests.marketplace import scene

    _machines(rows)
    found: dict[str, Any] = {"rows": rows, "rounds": rounds}
    passes: dict[str, tuple[Callable[..., int], str, Callable[..., int]]] = {
        "machines that fell silent": (mark_offline, OFFLINE, _silent),
        "holds that ended": (release_expired, HOLDS, _ended),
    }
    for name, (ours, floor, due) in passes.items():
        seen: dict[str, list[float]] = {"ours": [], "floor": []}
        for number in range(2 * rounds + 2):
            way = ("ours", "floor")[(number + number // 2) % 2]
            now = scene.NOW + timedelta(days=number + 1)
            assert due(rows, number, now) == rows
            vacuum()
            before = _processor_s()
            _work(ours, floor if way == "floor" else None, now)
            took = _processor_s() - before
            assert due(0, number, now) == 0, (name, way)
            if number > 1:
                seen[way].append(took / rows)
        ratios = [one / other for one, other in zip(seen["ours"], seen["floor"], strict=True)]
        spread = (statistics.median(ratios), min(ratios), max(ratios))
        found[name] = {
            "ours_us": round(statistics.median(seen["ours"]) * 1e6),
            "floor_us": round(statistics.median(seen["floor"]) * 1e6),
            "ratio": [round(one, 1) for one in spread],
        }
    assert audit() == []
    return found


def _work(ours: Callable[..., int], floor: str | None, now: datetime) -> None:
    """Do all that is due, as often as it takes."""
    from django.db import connection

    if floor is None:
        while ours(now=now):
            pass
        return
    with connection.cursor() as cursor:
        cursor.execute(floor, {"now": now})
        while cursor.rowcount:
            cursor.execute(floor, {"now": now})


def _processor_s() -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        folder = cursor.fetchone()[0]
    postmaster = int((Path(folder) / "postmaster.pid").read_text().split()[0])
    return time.process_time() + used_s(postmaster)


def _machines(count: int) -> None:
    from tests.marketplace import scene

    first = scene.machine()
    clone(first, count - 1, id=named("machine"), machine_key="md5('a' || i) || md5('b' || i)")


def _silent(rows: int, number: int, now: datetime) -> int:
    """Have all machines heard from ten minutes ago and never since; return how many are online.

    None are when ``rows`` is 0: that only counts.
    """
    from marketplace.machines.models import Attendance, Machine, UptimeDay

    if rows:
        Attendance.objects.all().delete()
        Attendance.objects.create(name="offline", seen_at=now)
        seen_at = now - timedelta(minutes=10)
        counted_at = seen_at - timedelta(minutes=5)
        Machine.objects.update(online=True, last_seen_at=seen_at, uptime_counted_at=counted_at)
    else:
        day = (now - timedelta(minutes=10)).date()
        days = UptimeDay.objects.filter(day=day, up_ms=5 * 60_000)
        assert days.count() == Machine.objects.count()
    return Machine.objects.filter(online=True).count()


def _ended(rows: int, number: int, now: datetime) -> int:
    """Have a hundred people set money aside until now; return how many of their holds wait."""
    from marketplace.accounts.models import User
    from marketplace.domain.ledger import TransferKind
    from marketplace.domain.money import MicroUsd
    from marketplace.ledger.actions import hold, open_account
    from marketplace.ledger.actions.post import Entry, post_together
    from marketplace.ledger.models import Hold

    if rows:
        emails = [f"payer{one}@example.org" for one in range(100)]
        people = [User.objects.get_or_create(email=email)[0] for email in emails]
        fund = MicroUsd(FUND * rows)
        entries = [
            Entry(
                open_account.outside(),
                open_account.wallet(user_id=person.pk),
                fund,
                TransferKind.TOP_UP,
                f"fund:{number}:{person.pk}",
            )
            for person in people
        ]
        post_together(entries=entries, now=now)
        for one in range(rows):
            hold.place(
                user_id=people[one % 100].pk,
                amount_microusd=MicroUsd(FUND),
                cause=f"hold:{number}:{one}",
                expires_at=now,
                now=now,
            )
    return Hold.objects.filter(released_at=None).count()


if __name__ == "__main__":
    main()
