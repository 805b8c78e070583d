"""This will say in SQL how transfers are added and counted in their accounts, at once.

PostgreSQL does it in one statement, so that a transfer costs one way there and back and a hot
account is locked no longer than that (benchmarks/ledger.py). SQLite, where whoever writes is alone,
does the same in two, as it takes no statement within another.
"""

from marketplace.domain.ledger import NEVER_NEGATIVE, SHARED

_NEVER_NEGATIVE, _SHARED = (
    ", ".join(f"'{kind}'" for kind in kinds) for kinds in (NEVER_NEGATIVE, SHARED)
)
#: what each account gets and gives by the rows of ``{of}``
_SUMS = """\
SELECT account_id, sum(debits) AS debits, sum(credits) AS credits FROM (
  SELECT debit_id AS account_id, amount_microusd AS debits, 0 AS credits FROM {of}
  UNION ALL SELECT credit_id, 0, amount_microusd FROM {of}
) AS parts GROUP BY account_id
"""
#: one row of parameters for each, numbered from 0
_ENTRY = """\
entry (number, debit_id, credit_id, amount_microusd, kind, cause, note) AS (VALUES {rows})
"""
#: Locked in the one order of everybody: by id, and the site's own last, as their locks are wanted
#: most and so are held shortest. The balance is the newest: it is read behind the lock.
_ACCOUNT = f"""\
sums AS ({_SUMS.format(of="entry")}), account AS MATERIALIZED (
  SELECT id, kind, credits_posted - debits_posted AS balance FROM "ledger_account"
  WHERE id IN (SELECT account_id FROM sums) ORDER BY kind IN ({_SHARED}), id {{lock}}
)
"""  # noqa: S608
#: nothing is added where an account would owe money, or a cause is there already
_INSERT = f"""\
INSERT INTO "ledger_transfer" (debit_id, credit_id, amount_microusd, kind, cause, note, at)
{{entries}} SELECT debit_id, credit_id, amount_microusd, kind, cause, note, %s FROM entry
WHERE NOT EXISTS (
  SELECT 1 FROM account JOIN sums ON sums.account_id = account.id
  WHERE account.kind IN ({_NEVER_NEGATIVE}) AND balance + credits < debits
) AND NOT EXISTS (
  SELECT 1 FROM "ledger_transfer" WHERE cause IN (SELECT cause FROM entry)
) ORDER BY number ON CONFLICT (cause) DO NOTHING RETURNING id, {{returned}}
"""  # noqa: S608
_UPDATE = f"""\
UPDATE "ledger_account" SET debits_posted = debits_posted + moved.debits,
  credits_posted = credits_posted + moved.credits
FROM ({{entries}} {_SUMS}) AS moved WHERE "ledger_account".id = moved.account_id
"""  # noqa: S608

#: one value of each entry in each of ``{rows}``, then the time; returns ids and causes
POSTGRESQL = f"""\
WITH {_ENTRY}, {_ACCOUNT.format(lock="FOR NO KEY UPDATE")}, posted AS (
{_INSERT.format(entries="", returned="debit_id, credit_id, amount_microusd, cause")}
), counted AS (
{_UPDATE.format(entries="", of="posted")}
) SELECT id, cause FROM posted
"""  # noqa: S608
#: the same, and then, if it added anything, it added all: the same values without the time
SQLITE_INSERT = _INSERT.format(
    entries=f"WITH {_ENTRY}, {_ACCOUNT.format(lock='')}", returned="cause"
)
SQLITE_UPDATE = _UPDATE.format(entries=f"WITH {_ENTRY}", of="entry")
