"""This will look daily whether all money is where it should be, and tell who runs the site."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import send_mail

from marketplace.ledger.audit import audit, differs, rows
from marketplace.ledger.models import Account, AuditRun, Transfer
from marketplace.metering.earned_sql import days
from marketplace.metering.proven_sql import sides, unproven

logger = logging.getLogger(__name__)
EVERY = timedelta(days=1)
#: a little sooner, so that the hour of the day stays
EARLY = timedelta(minutes=10)
#: sentences that one letter holds
TOLD_MAX = 50

METERS = """\
SELECT counted.id, counted.amount, counted.fee,
  CAST(coalesce(spent.amount, 0) AS bigint), CAST(coalesce(spent.fee, 0) AS bigint)
FROM (
  SELECT meter.id, meter.hold_id,
    meter.charged_microusd + coalesce(side.storage_microusd + side.traffic_microusd, 0) AS amount,
    meter.fee_microusd + coalesce(side.fee_microusd, 0) AS fee
  FROM "metering_meter" AS meter
  LEFT JOIN "metering_sidemeter" AS side ON side.meter_id = meter.id
) AS counted
JOIN "ledger_hold" AS hold ON hold.id = counted.hold_id
LEFT JOIN (
  SELECT debit_id, sum(amount_microusd) AS amount,
    sum(CASE WHEN kind = 'fee' THEN amount_microusd ELSE 0 END) AS fee
  FROM "ledger_transfer" WHERE kind NOT IN ('hold', 'release', 'expiry') GROUP BY debit_id
) AS spent ON spent.debit_id = hold.account_id
WHERE counted.amount <> coalesce(spent.amount, 0) OR counted.fee <> coalesce(spent.fee, 0)
ORDER BY counted.id LIMIT {most}
"""
CLOSED = """\
SELECT meter.id FROM "metering_meter" AS meter JOIN "ledger_hold" AS hold ON hold.id = meter.hold_id
WHERE (meter.closed_at IS NULL) <> (hold.released_at IS NULL) ORDER BY meter.id LIMIT {most}
"""


def audit_daily(*, now: datetime) -> int:
    """Audit once a day, however often it is called; return how many problems were found now."""
    if AuditRun.objects.filter(at__gt=now - EVERY + EARLY).exists():
        return 0
    run = audit_money(now=now)
    if run.problems:
        _page(run)
    return len(run.problems)


def audit_money(*, now: datetime) -> AuditRun:
    """Return what an audit of everything finds, which is kept."""
    problems = [*audit(), *_meters(), *days(), *unproven(now), *sides(now)]
    return AuditRun.objects.create(
        at=now,
        problems=problems,
        accounts=Account.objects.count(),
        transfers=Transfer.objects.count(),
    )


def _meters() -> Sequence[str]:
    return [
        *(
            f"Meter {key} charged {differs(charged - spent)}, with {differs(fee - fees)} of fees,"
            " than its transfers."
            for key, charged, fee, spent, fees in rows(METERS)
        ),
        *(f"Meter {key} and its hold are not over together." for (key,) in rows(CLOSED)),
    ]


def _page(run: AuditRun) -> None:
    """Say it where somebody is woken: the log at its loudest, and a letter."""
    logger.critical(
        "Ledger does not add up", extra={"problems": len(run.problems), "first": run.problems[0]}
    )
    if not settings.OPERATOR_EMAILS:
        return
    text = "\n".join(run.problems[:TOLD_MAX])
    more = f"\n\nThe audit of {run.at:%Y-%m-%d %H:%M} UTC found {len(run.problems)} in all."
    try:
        send_mail("The ledger does not add up", text + more, None, settings.OPERATOR_EMAILS)
    except OSError:
        # Kept and in the log all the same; the next day tells it again.
        logger.exception("Letter about the ledger not sent")
