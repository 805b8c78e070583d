"""This will charge many holds at once, in the database: no row of them comes into this process.

A tick over 100,000 placements is a few dozen of these; each holds its locks for as long as it takes
(docs/decisions/0032-charged-in-sets.md, benchmarks/metering.py).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from marketplace.ledger.actions import count_earned, open_account
from marketplace.ledger.actions.hold import HoldReleased
from marketplace.ledger.models import Account, Transfer

#: of the rows that are charged now; each connection has its own, and it is empty between calls
TABLE = """\
CREATE TEMPORARY TABLE IF NOT EXISTS charging (
  hold_id {uuid}, held_id {uuid}, host_id bigint, machine_id {uuid}, earnings_id {uuid},
  amount bigint, fee bigint, kind varchar(12), cause varchar(200), note varchar(200)
) {forgotten}
"""
EMPTY = "DELETE FROM charging"
STAGE = """\
INSERT INTO charging
SELECT one.hold_id, hold.account_id, one.host_id, one.machine_id, earnings.id,
       one.amount, one.fee, one.kind, one.cause, one.note
FROM ({charges}) AS one
JOIN "ledger_hold" AS hold ON hold.id = one.hold_id
LEFT JOIN "ledger_account" AS earnings
  ON earnings.user_id = one.host_id AND earnings.kind = 'earnings'
"""
HOSTS = "SELECT DISTINCT host_id FROM charging WHERE earnings_id IS NULL ORDER BY host_id"
OPENED = """\
UPDATE charging SET earnings_id = earnings.id FROM "ledger_account" AS earnings
WHERE charging.earnings_id IS NULL
  AND earnings.user_id = charging.host_id AND earnings.kind = 'earnings'
"""
STAGED = "SELECT count(*), count(DISTINCT hold_id) FROM charging"
#: in the one order of everybody: holds by id, then accounts by id, the site's own last
LOCK_HOLDS = """\
SELECT count(*) FROM (
  SELECT 1 FROM "ledger_hold" WHERE id IN (SELECT hold_id FROM charging) AND released_at IS NULL
  ORDER BY id {lock}
) AS locked
"""
LOCK_ACCOUNTS = """\
SELECT count(*) FROM (
  SELECT 1 FROM "ledger_account"
  WHERE id IN (SELECT held_id FROM charging UNION ALL SELECT earnings_id FROM charging)
  ORDER BY id {lock}
) AS locked
"""
EARNED = """\
INSERT INTO "ledger_transfer" (debit_id, credit_id, amount_microusd, kind, cause, note, at)
SELECT held_id, earnings_id, amount - fee, kind, cause, note, %s FROM charging
WHERE amount > fee ORDER BY cause
"""
FEES = """\
INSERT INTO "ledger_transfer" (debit_id, credit_id, amount_microusd, kind, cause, note, at)
SELECT held_id, %s, fee, 'fee', cause || ':fee', note, %s FROM charging
WHERE fee > 0 ORDER BY cause
"""
COUNT = """\
UPDATE "ledger_account" SET debits_posted = debits_posted + sums.debits,
  credits_posted = credits_posted + sums.credits
FROM (
  SELECT account_id, sum(debits) AS debits, sum(credits) AS credits FROM (
    SELECT held_id AS account_id, amount AS debits, 0 AS credits FROM charging
    UNION ALL SELECT earnings_id, 0, amount - fee FROM charging
  ) AS parts GROUP BY account_id
) AS sums WHERE "ledger_account".id = sums.account_id
"""
#: each host's rows are written behind the lock of the host's earnings, so nobody waits for them
COUNT_DAYS = count_earned.COUNT.format(
    rows="""\
SELECT host_id, %s, machine_id, sum(amount - fee), sum(fee) FROM charging
WHERE 1 = 1 GROUP BY host_id, machine_id ORDER BY host_id, machine_id"""
)
COUNT_FEES = """\
UPDATE "ledger_account" SET credits_posted = credits_posted + (SELECT sum(fee) FROM charging)
WHERE id = %s
"""


def capture_many(*, charges: str, parameters: Sequence[str | UUID], now: datetime) -> int:
    """Charge what a SELECT names and return how many charges that were, all of them or none.

    Its columns: ``hold_id``, ``host_id``, ``machine_id``, ``amount`` and ``fee`` as part of it in
    micro-USD, ``kind``, ``cause`` and ``note``. A cause that was posted before fails: what the
    SELECT reads has to say what was charged, and to change in the same transaction.

    :raises HoldReleased: when one of the holds is over.
    :raises IntegrityError: when a hold has less than its charge.
    """
    is_postgresql = connection.vendor == "postgresql"
    lock = "FOR NO KEY UPDATE" if is_postgresql else ""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            TABLE.format(
                uuid="uuid" if is_postgresql else "char(32)",
                forgotten="ON COMMIT DELETE ROWS" if is_postgresql else "",
            )
        )
        cursor.execute(EMPTY)
        cursor.execute(STAGE.format(charges=charges), parameters)
        cursor.execute(STAGED)
        found, holds = cursor.fetchone()
        if not found:
            return 0
        if is_postgresql:
            # Nothing else tells how few these are, and all accounts would be read to find them.
            cursor.execute("ANALYZE charging")
        cursor.execute(LOCK_HOLDS.format(lock=lock))
        if cursor.fetchone() != (holds,):
            raise HoldReleased
        cursor.execute(HOSTS)
        if hosts := cursor.fetchall():
            for (host_id,) in hosts:
                open_account.earnings(user_id=host_id)
            cursor.execute(OPENED)
        fees = Account._meta.pk.get_db_prep_value(open_account.fees().pk, connection)
        at = Transfer._meta.get_field("at").get_db_prep_value(now, connection)
        cursor.execute(LOCK_ACCOUNTS.format(lock=lock))
        cursor.execute(EARNED, [at])
        cursor.execute(FEES, [fees, at])
        cursor.execute(COUNT)
        # In the order of all others, who may hold the fees and wait for a day.
        cursor.execute(COUNT_FEES, [fees])
        cursor.execute(COUNT_DAYS, count_earned.day_of(now))
        cursor.execute(EMPTY)
    return int(found)
