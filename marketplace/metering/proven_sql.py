"""This will name the meters that count other than what their machines signed and their disks cost.

Of meters that are over only those of late are looked at: what is over changes no more, and was
looked at. Each statement reads one instant, so the audit may run while seconds are counted.
"""

from datetime import datetime, timedelta

from django.db import connection

from marketplace.domain.upkeep import GB, MONTH_MS
from marketplace.ledger.audit import differs, rows
from marketplace.metering.models import Meter

#: audits that a meter is looked at after its end, should one fail
OVER = timedelta(days=3)

_LATE = "(meter.closed_at IS NULL OR meter.closed_at >= '{since}')"
#: A row's length in whole milliseconds. SQLite's own dates have no microseconds, so its texts are
#: read: to the second, and what follows the point.
_SQLITE_US = "(strftime('%s', substr({at}, 1, 19)) * 1000000 + CAST(substr({at}, 21) AS integer))"
MS = {
    "postgresql": "floor(extract(epoch FROM billable_to - billable_from) * 1000)",
    "sqlite": "(({}) - ({})) / 1000".format(
        _SQLITE_US.format(at="billable_to"), _SQLITE_US.format(at="billable_from")
    ),
}
PROVEN = f"""\
SELECT meter.id, meter.proven_ms, CAST(coalesce(sum({{ms}}), 0) AS bigint)
FROM "metering_meter" AS meter LEFT JOIN "metering_signedintervalrow" AS interval
  ON interval.placement_id = meter.placement_id AND interval.billable_to IS NOT NULL
WHERE {_LATE} GROUP BY meter.id, meter.proven_ms
HAVING meter.proven_ms <> coalesce(sum({{ms}}), 0) ORDER BY meter.id LIMIT {{{{most}}}}
"""  # noqa: S608
_SHARE = "(side.{of}_microusd - side.{of}_microusd * meter.fee_ppm / 1000000)"
#: of each kind the host's part; more than it costs, by less than the micro-dollar of rounding
SIDES = f"""\
SELECT meter.id, side.storage_microusd, side.traffic_microusd
FROM "metering_sidemeter" AS side JOIN "metering_meter" AS meter ON meter.id = side.meter_id
JOIN "ledger_hold" AS hold ON hold.id = meter.hold_id
LEFT JOIN (
  SELECT debit_id, sum(CASE WHEN kind = 'storage' THEN amount_microusd ELSE 0 END) AS storage,
    sum(CASE WHEN kind = 'network' THEN amount_microusd ELSE 0 END) AS network
  FROM "ledger_transfer" WHERE kind IN ('storage', 'network') GROUP BY debit_id
) AS paid ON paid.debit_id = hold.account_id
WHERE {_LATE} AND (
  {_SHARE.format(of="storage")} <> coalesce(paid.storage, 0)
  OR {_SHARE.format(of="traffic")} <> coalesce(paid.network, 0)
  OR side.storage_microusd
    > side.storage_price_microusd * 1.0 * side.disk_bytes * side.stored_ms / {GB * MONTH_MS}
  OR side.traffic_microusd > side.network_price_microusd * 1.0 * side.traffic_bytes / {GB}
) ORDER BY meter.id LIMIT {{{{most}}}}
"""  # noqa: S608


def unproven(now: datetime) -> list[str]:
    """Return one sentence for each meter that counts other time than was signed and counts."""
    statement = PROVEN.format(ms=MS[connection.vendor], since=_since(now))
    return [
        f"Meter {key} counts {differs(counted - signed, '{} ms'.format)} than its machine's signed"
        " intervals."
        for key, counted, signed in rows(statement)
    ]


def sides(now: datetime) -> list[str]:
    """Return one sentence for each that took more for disk or traffic than counted, or paid."""
    return [
        f"Meter {key} took {storage} for its disk and {traffic} for its traffic, which what it"
        " counts or its transfers deny."
        for key, storage, traffic in rows(SIDES.format(since=_since(now)))
    ]


def _since(now: datetime) -> str:
    field = Meter._meta.get_field("closed_at")
    return str(field.get_db_prep_value(now - OVER, connection))
