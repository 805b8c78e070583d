"""This will add up anew in SQL what machines earned each day, from all transfers.

It shares no code with ledger/actions/count_earned.py, which counts those days as it posts.
"""

from collections.abc import Sequence

from django.db import connection

from marketplace.domain.ledger import AccountKind
from marketplace.ledger.audit import differs, rows

_DAY = {
    "postgresql": "CAST(moved.at AT TIME ZONE 'UTC' AS date)",
    "sqlite": "date(moved.at)",
}
_NO_MACHINE = {
    "postgresql": "CAST('00000000-0000-0000-0000-000000000000' AS uuid)",
    "sqlite": "'00000000000000000000000000000000'",
}
#: host, day, machine, earned, fee: one row of each transfer, of its hold's machine
_TRANSFERS = """\
SELECT earnings.user_id AS host_id, {day} AS day,
  coalesce(placement.machine_id, {no_machine}) AS machine_id,
  moved.amount_microusd AS earned, 0 AS fee
FROM "ledger_transfer" AS moved
JOIN "ledger_account" AS earnings ON earnings.id = moved.credit_id AND earnings.kind = 'earnings'
LEFT JOIN "ledger_hold" AS hold ON hold.account_id = moved.debit_id
LEFT JOIN "metering_meter" AS meter ON meter.hold_id = hold.id
LEFT JOIN "placements_placement" AS placement ON placement.id = meter.placement_id
WHERE moved.kind <> 'payout'
UNION ALL
SELECT meter.host_id, {day}, placement.machine_id, 0, moved.amount_microusd
FROM "ledger_transfer" AS moved
JOIN "ledger_hold" AS hold ON hold.account_id = moved.debit_id
JOIN "metering_meter" AS meter ON meter.hold_id = hold.id
JOIN "placements_placement" AS placement ON placement.id = meter.placement_id
WHERE moved.kind = 'fee'
"""
_WRONG = """\
SELECT account.id, wrong.day, wrong.machine_id, wrong.earned, wrong.fee FROM (
  SELECT host_id, day, machine_id, sum(earned) AS earned, sum(fee) AS fee FROM (
    SELECT host_id, day, machine_id, earned_microusd AS earned, fee_microusd AS fee
    FROM "ledger_earnedday"
    UNION ALL
    SELECT host_id, day, machine_id, -earned, -fee FROM ({transfers}) AS posted
  ) AS both_sides GROUP BY host_id, day, machine_id HAVING sum(earned) <> 0 OR sum(fee) <> 0
) AS wrong
LEFT JOIN "ledger_account" AS account
  ON account.user_id = wrong.host_id AND account.kind = 'earnings'
ORDER BY wrong.day, wrong.host_id, wrong.machine_id LIMIT {most}
"""


_HOSTS = """\
SELECT DISTINCT host_id FROM ({transfers}) AS posted
UNION SELECT host_id FROM "ledger_earnedday"
"""
_FILL = """\
INSERT INTO "ledger_earnedday" (host_id, day, machine_id, earned_microusd, fee_microusd)
SELECT host_id, day, machine_id, sum(earned), sum(fee) FROM ({transfers}) AS posted
WHERE host_id = %s GROUP BY host_id, day, machine_id
"""


def days() -> Sequence[str]:
    """Return a sentence for each day of a machine that counts other than its transfers."""
    wrong = rows(_of_transfers(_WRONG))
    return [
        f"Account {AccountKind.EARNINGS} {key} counts {differs(int(earned))} earned on {day}, with"
        f" {differs(int(fee))} of fees, than its transfers (machine {str(machine_id)[:8]})."
        for key, day, machine_id, earned, fee in wrong
    ]


def hosts() -> Sequence[int]:
    """Return everybody who earned anything, or is said to have."""
    with connection.cursor() as cursor:
        cursor.execute(_of_transfers(_HOSTS))
        return sorted(host_id for (host_id,) in cursor.fetchall())


def fill(host_id: int) -> None:
    """Add up the days of a host anew, of whom there are none."""
    with connection.cursor() as cursor:
        cursor.execute(_of_transfers(_FILL), [host_id])


def _of_transfers(statement: str) -> str:
    vendor = connection.vendor
    posted = _TRANSFERS.format(day=_DAY[vendor], no_machine=_NO_MACHINE[vendor])
    return statement.replace("{transfers}", posted)
