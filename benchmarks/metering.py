"""This will measure a tick that charges every live placement, against one statement by hand.

Run it with ``python -m benchmarks.metering --placements 10000 --rounds 5``. Both charge a minute of
each in turns, in the same tables; the peer writes the same rows in one statement, so it holds all
its locks to the end.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.cloning import clone, database, named, vacuum

HOSTS, MINUTE_MS, PRICE = 1000, 60_000, 427_000
BY_HAND = """
WITH due AS MATERIALIZED (
  SELECT meter.id, hold.account_id AS held, earnings.id AS earned, meter.proven_ms AS ms,
    meter.host_id AS host, placement.machine_id AS machine,
    meter.proven_ms * meter.price_hour_microusd / 3600000 AS total,
    meter.charged_microusd AS before, meter.fee_microusd AS fee_before,
    meter.proven_ms * meter.price_hour_microusd / 3600000 * meter.fee_ppm / 1000000 AS fee_total,
    'meter:' || meter.id || ':' || meter.proven_ms AS cause,
    (placement.workload ->> 'image') || ' at $0.427 an hour' AS note
  FROM metering_meter meter JOIN ledger_hold hold ON hold.id = meter.hold_id
  JOIN placements_placement placement ON placement.id = meter.placement_id
  JOIN ledger_account earnings ON earnings.user_id = meter.host_id AND earnings.kind = 'earnings'
  WHERE meter.closed_at IS NULL AND meter.proven_ms > meter.charged_ms FOR UPDATE OF meter
), charges AS (
  INSERT INTO ledger_transfer (debit_id, credit_id, amount_microusd, kind, cause, note, at)
  SELECT held, earned, total - before - fee_total + fee_before, 'charge', cause, note, %(at)s
  FROM due
), fees AS (
  INSERT INTO ledger_transfer (debit_id, credit_id, amount_microusd, kind, cause, note, at)
  SELECT held, %(fees)s, fee_total - fee_before, 'fee', cause || ':fee', note, %(at)s FROM due
), holds AS (
  UPDATE ledger_account SET debits_posted = debits_posted + total - before
  FROM due WHERE ledger_account.id = held
), hosts AS (
  UPDATE ledger_account SET credits_posted = credits_posted + sums.amount FROM (
    SELECT earned, sum(total - before - fee_total + fee_before) AS amount FROM due GROUP BY earned
  ) AS sums WHERE ledger_account.id = sums.earned
), days AS (
  INSERT INTO ledger_earnedday AS known (host_id, day, machine_id, earned_microusd, fee_microusd)
  SELECT host, CAST(%(at)s AS date), machine, sum(total - before - fee_total + fee_before),
    sum(fee_total - fee_before) FROM due GROUP BY host, machine
  ON CONFLICT (host_id, day, machine_id) DO UPDATE SET
    earned_microusd = known.earned_microusd + excluded.earned_microusd,
    fee_microusd = known.fee_microusd + excluded.fee_microusd
), site AS (
  UPDATE ledger_account SET credits_posted = credits_posted
    + (SELECT sum(fee_total - fee_before) FROM due) WHERE id = %(fees)s
)
UPDATE metering_meter SET charged_ms = ms, charged_until = proven_until, charged_microusd = total,
  fee_microusd = fee_total FROM due WHERE due.id = metering_meter.id
"""


def main() -> None:
    """Print ratios, their spread, times and the longest lock as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--placements", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with database():
        _fill(options.placements)
        print(json.dumps(_measure(options.placements, options.rounds), indent=2))


def _fill(count: int) -> None:
    from django.db import connection

    from marketplace.accounts.models import User
    from marketplace.domain.ledger import TransferKind
    from marketplace.domain.money import MicroUsd
    from marketplace.ledger.actions import hold, open_account
    from marketplace.ledger.actions.post import post
    from marketplace.ledger.models import Account
    from marketplace.metering.actions.open_meter import open_meter
    from marketplace.metering.models import Meter
    from tests.marketplace import scene

    host = User.objects.create_user("host0@example.org")
    clone(host, HOSTS, email="'host' || i || '@example.org'", username="'host' || i")
    machine = scene.machine(host=host)
    placement = scene.placement(machine)
    placement.state = "running"
    placement.save()
    fund = 10_000_000
    with connection.cursor() as cursor:
        outside, wallet = open_account.outside(), open_account.wallet(user_id=host.pk)
        post(
            debit=outside,
            credit=wallet,
            amount_microusd=MicroUsd(fund * (count + 1)),
            kind=TransferKind.TOP_UP,
            cause="all",
            now=scene.NOW,
        )
        held = hold.place(
            user_id=host.pk, amount_microusd=MicroUsd(fund), cause="hold0", now=scene.NOW
        )
        transfer = wallet.debits.get()
        clone(placement, count, id=named("placement"))
        clone(held.account, count, id=named("account"))
        clone(transfer, count, credit_id=named("account"), cause="'hold' || i")
        Account.objects.filter(pk=wallet.pk).update(debits_posted=fund * (count + 1))
        clone(held, count, id=named("hold"), account_id=named("account"), cause="'hold' || i")
        meter = open_meter(
            placement_id=placement.id,
            host_id=host.pk,
            hold_id=held.pk,
            price_hour_microusd=PRICE,
            fee_ppm=50_000,
            now=scene.NOW,
        )
        clone(
            meter,
            count,
            id=named("meter"),
            placement_id=named("placement"),
            hold_id=named("hold"),
            host_id=f"{host.pk} + 1 + mod(i, {HOSTS})",
        )
        Meter.objects.filter(pk=meter.pk).delete()
        cursor.execute("SELECT count(*) FROM metering_meter JOIN accounts_user u ON u.id = host_id")
        assert cursor.fetchone() == (count,)
    for user in User.objects.exclude(pk=host.pk):
        open_account.earnings(user_id=user.pk)
    open_account.fees()


def _measure(count: int, rounds: int) -> dict[str, Any]:
    from django.db.models import F

    from marketplace.metering.actions import charge
    from marketplace.metering.actions.audit_money import audit_money
    from marketplace.metering.models import Meter

    charge.METERS_MAX = 10 * count  # type: ignore[misc]
    locks: list[float] = []
    between = charge._charge_between

    def timed(*told: Any, **named: Any) -> None:
        began = time.perf_counter()
        between(*told, **named)
        locks.append(time.perf_counter() - began)

    charge._charge_between = timed
    now = datetime(2026, 3, 1, tzinfo=UTC)
    ways: dict[str, Callable[[datetime], object]] = {
        "ours": lambda at: charge.charge_all(now=at),
        "by_hand": _charge_by_hand,
    }
    seen: dict[str, list[float]] = {"ours": [], "by_hand": []}
    for number in range(2 * rounds + 2):
        name = ("ours", "by_hand")[(number + number // 2) % 2]
        now += timedelta(minutes=1)
        Meter.objects.update(proven_ms=F("proven_ms") + MINUTE_MS, proven_until=now)
        vacuum()
        began = time.perf_counter()
        ways[name](now)
        took = time.perf_counter() - began
        assert not Meter.objects.exclude(charged_ms=F("proven_ms")).exists(), name
        if number > 1:
            seen[name].append(took)
        else:
            locks.clear()
    # Nobody signed for the time that passes here.
    problems = audit_money(now=now).problems
    assert all("signed intervals" in one for one in problems), problems
    ratios = [ours / hand for ours, hand in zip(seen["ours"], seen["by_hand"], strict=True)]
    median = statistics.median(seen["ours"])
    return {
        "placements": count,
        "rounds": rounds,
        "ratio_median": round(statistics.median(ratios), 2),
        "ratio_best_worst": [round(min(ratios), 2), round(max(ratios), 2)],
        "tick_s": round(median, 3),
        "by_hand_s": round(statistics.median(seen["by_hand"]), 3),
        "us_a_placement": round(median / count * 1e6, 1),
        "of_a_minute": round(median / 60, 3),
        "lock_ms_median": round(statistics.median(locks) * 1000, 1),
        "lock_ms_longest": round(max(locks) * 1000, 1),
    }


def _charge_by_hand(at: datetime) -> None:
    from django.db import connection

    from marketplace.ledger.actions import open_account

    with connection.cursor() as cursor:
        cursor.execute(BY_HAND, {"at": at, "fees": open_account.fees().pk})


if __name__ == "__main__":
    main()
