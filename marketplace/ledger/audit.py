"""This will recompute every account from its transfers and name what does not agree.

The database sums, each check in one statement, hence at one instant: the audit may run while money
moves, and reads millions of transfers without holding more than a few of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from marketplace.domain.ledger import NEVER_NEGATIVE
from marketplace.domain.money import format_usd

#: of each check, the first so many: one fault may show everywhere
PROBLEMS_MAX = 100

COUNTERS = """\
SELECT account.id, account.kind, account.debits_posted, account.credits_posted,
  CAST(coalesce(gone.amount, 0) AS bigint), CAST(coalesce(come.amount, 0) AS bigint)
FROM "ledger_account" AS account
LEFT JOIN (
  SELECT debit_id, sum(amount_microusd) AS amount FROM "ledger_transfer" GROUP BY debit_id
) AS gone ON gone.debit_id = account.id
LEFT JOIN (
  SELECT credit_id, sum(amount_microusd) AS amount FROM "ledger_transfer" GROUP BY credit_id
) AS come ON come.credit_id = account.id
WHERE account.debits_posted <> coalesce(gone.amount, 0)
  OR account.credits_posted <> coalesce(come.amount, 0)
  OR (account.kind IN ({kinds}) AND coalesce(come.amount, 0) < coalesce(gone.amount, 0))
ORDER BY account.id LIMIT {most}
"""
TOTAL = 'SELECT sum(credits_posted - debits_posted) FROM "ledger_account"'
HOLDS = """\
SELECT hold.id, account.credits_posted - account.debits_posted FROM "ledger_hold" AS hold
JOIN "ledger_account" AS account ON account.id = hold.account_id
WHERE hold.released_at IS NOT NULL AND account.credits_posted <> account.debits_posted
ORDER BY hold.id LIMIT {most}
"""
UNHELD = """\
SELECT account.id, account.credits_posted - account.debits_posted FROM "ledger_account" AS account
LEFT JOIN "ledger_hold" AS hold ON hold.account_id = account.id AND hold.user_id = account.user_id
WHERE account.kind = 'hold' AND hold.id IS NULL ORDER BY account.id LIMIT {most}
"""
STATES = """\
SELECT hold.id, hold.state FROM "ledger_hold" AS hold
JOIN "ledger_account" AS account ON account.id = hold.account_id
LEFT JOIN (
  SELECT debit_id FROM "ledger_transfer" WHERE kind NOT IN ('release', 'expiry') GROUP BY debit_id
) AS spent ON spent.debit_id = account.id
WHERE (hold.state = 'voided' AND spent.debit_id IS NOT NULL)
  OR (hold.state = 'posted' AND spent.debit_id IS NULL)
ORDER BY hold.id LIMIT {most}
"""
# Only what a renter gets back of a charge leaves earnings and fees for them.
RETURNED = """\
SELECT holds.amount, moved.amount FROM
  (SELECT CAST(coalesce(sum(returned_microusd), 0) AS bigint) AS amount
    FROM "ledger_hold") AS holds,
  (SELECT CAST(coalesce(sum(amount_microusd), 0) AS bigint) AS amount
    FROM "ledger_transfer" AS back JOIN "ledger_account" AS source ON source.id = back.debit_id
    WHERE back.kind IN ('refund', 'expiry') AND source.kind IN ('earnings', 'fees')) AS moved
WHERE holds.amount <> moved.amount
"""
OVERRETURNED = """\
SELECT hold.id, hold.returned_microusd, CAST(coalesce(spent.amount, 0) AS bigint)
FROM "ledger_hold" AS hold LEFT JOIN (
  SELECT debit_id, sum(amount_microusd) AS amount FROM "ledger_transfer"
  WHERE kind NOT IN ('release', 'expiry') GROUP BY debit_id
) AS spent ON spent.debit_id = hold.account_id
WHERE hold.returned_microusd > coalesce(spent.amount, 0) ORDER BY hold.id LIMIT {most}
"""
CREDIT = """\
SELECT account.id, account.credits_posted - account.debits_posted,
  CAST(coalesce(given.amount, 0) AS bigint)
FROM "ledger_account" AS account LEFT JOIN (
  SELECT user_id, sum(left_microusd) AS amount FROM "ledger_creditgrant" GROUP BY user_id
) AS given ON given.user_id = account.user_id
WHERE account.kind = 'credit'
  AND account.credits_posted - account.debits_posted <> coalesce(given.amount, 0)
ORDER BY account.id LIMIT {most}
"""


def audit() -> list[str]:
    """Return one sentence for each thing that is wrong; an empty list means that all is well."""
    return [*_accounts(), *_total(), *_holds(), *_credit()]


def rows(statement: str) -> Sequence[tuple[Any, ...]]:
    """Return the first rows of what a statement finds wrong."""
    kinds = ", ".join(f"'{kind}'" for kind in NEVER_NEGATIVE)
    with connection.cursor() as cursor:
        cursor.execute(statement.format(kinds=kinds, most=PROBLEMS_MAX))
        return list(cursor.fetchall())


def differs(by: int, told: Callable[[int], str] = format_usd) -> str:
    """Return how far two sums lie apart, which stays while both go on.

    So a disagreement that an operator cleared is known again tomorrow (payouts/disagreeing.py).
    """
    return f"{told(abs(by))} {'more' if by > 0 else 'less'}"


def _accounts() -> list[str]:
    problems = []
    for key, kind, debits, credits_, gone, come in rows(COUNTERS):
        account = f"Account {kind} {key}"
        if debits != gone:
            problems.append(f"{account} counts {differs(debits - gone)} out than moved.")
        if credits_ != come:
            problems.append(f"{account} counts {differs(credits_ - come)} in than moved.")
        if kind in NEVER_NEGATIVE and come < gone:
            problems.append(f"{account} owes {format_usd(gone - come)}.")
    return problems


def _total() -> list[str]:
    total = int(rows(TOTAL)[0][0] or 0)
    return [f"All accounts together hold {format_usd(total)} instead of nothing."] * bool(total)


def _holds() -> list[str]:
    full = [
        f"Hold {key} was released but still holds {format_usd(held)}." for key, held in rows(HOLDS)
    ]
    unheld = [
        f"Account hold {key} with {format_usd(has)} has no hold." for key, has in rows(UNHELD)
    ]
    wrong = [f"Hold {key} is {state}, which its charges deny." for key, state in rows(STATES)]
    back = [
        f"Holds count {differs(told - moved)} as given back than moved."
        for told, moved in rows(RETURNED)
    ]
    over = [
        f"Hold {key} gave {format_usd(told)} back of {format_usd(spent)} charged."
        for key, told, spent in rows(OVERRETURNED)
    ]
    return [*full, *unheld, *wrong, *back, *over]


def _credit() -> list[str]:
    return [
        f"Account credit {key} has {differs(has - left)} than its grants."
        for key, has, left in rows(CREDIT)
    ]
