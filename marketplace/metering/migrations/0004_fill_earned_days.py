"""This will count what was earned before the days were counted.

Back it does nothing: what is counted stays right as long as the code counts, and ledger 0011 drops
it. Forth it begins anew, so going back and forth again counts nothing twice.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

DAY = {"postgresql": "CAST(moved.at AT TIME ZONE 'UTC' AS date)", "sqlite": "date(moved.at)"}
NO_MACHINE = {
    "postgresql": "CAST('00000000-0000-0000-0000-000000000000' AS uuid)",
    "sqlite": "'00000000000000000000000000000000'",
}
FILL = """
INSERT INTO ledger_earnedday (host_id, day, machine_id, earned_microusd, fee_microusd)
SELECT host_id, day, machine_id, sum(earned), sum(fee) FROM (
  SELECT earnings.user_id AS host_id, {day} AS day,
    coalesce(placement.machine_id, {no_machine}) AS machine_id,
    moved.amount_microusd AS earned, 0 AS fee
  FROM ledger_transfer AS moved
  JOIN ledger_account AS earnings ON earnings.id = moved.credit_id AND earnings.kind = 'earnings'
  LEFT JOIN ledger_hold AS hold ON hold.account_id = moved.debit_id
  LEFT JOIN metering_meter AS meter ON meter.hold_id = hold.id
  LEFT JOIN placements_placement AS placement ON placement.id = meter.placement_id
  WHERE moved.kind <> 'payout'
  UNION ALL
  SELECT meter.host_id, {day}, placement.machine_id, 0, moved.amount_microusd
  FROM ledger_transfer AS moved
  JOIN ledger_hold AS hold ON hold.account_id = moved.debit_id
  JOIN metering_meter AS meter ON meter.hold_id = hold.id
  JOIN placements_placement AS placement ON placement.id = meter.placement_id
  WHERE moved.kind = 'fee'
) AS posted GROUP BY host_id, day, machine_id
"""


def fill(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add up all transfers anew; nothing may post meanwhile."""
    editor.execute("DELETE FROM ledger_earnedday")
    vendor = editor.connection.vendor
    editor.execute(FILL.format(day=DAY[vendor], no_machine=NO_MACHINE[vendor]))


class Migration(migrations.Migration):
    """Two statements."""

    dependencies = [
        ("metering", "0003_side_meters"),
        ("ledger", "0011_earned_days"),
        ("placements", "0006_guest_keys"),
    ]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
