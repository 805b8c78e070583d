"""This will count what a machine earned its host on a day, where the transfers of it are posted.

Pages and payouts read these sums instead of all transfers. The daily audit adds both up
(metering/actions/audit_money.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from marketplace.domain.money import MicroUsd
from marketplace.ledger.models import EarnedDay

#: what the machine of an earning is called that came from none
NO_MACHINE = UUID(int=0)
#: of ``{rows}``: host, day, machine, what it earned, the fee of it
COUNT = """\
INSERT INTO "ledger_earnedday" (host_id, day, machine_id, earned_microusd, fee_microusd)
{rows}
ON CONFLICT (host_id, day, machine_id) DO UPDATE SET
  earned_microusd = "ledger_earnedday".earned_microusd + excluded.earned_microusd,
  fee_microusd = "ledger_earnedday".fee_microusd + excluded.fee_microusd
"""


@dataclass(frozen=True, slots=True)
class Earner:
    """Whose machine it was."""

    host_id: int
    machine_id: UUID = NO_MACHINE


@dataclass(frozen=True, slots=True)
class Part:
    """One transfer of it."""

    earner: Earner
    earned_microusd: MicroUsd
    fee_microusd: MicroUsd


def count_earned(*, parts: Iterable[Part], now: datetime) -> None:
    """Add these to the sums of today. Their transfers are posted in the same transaction."""
    sums: defaultdict[Earner, list[int]] = defaultdict(lambda: [0, 0])
    for part in parts:
        sums[part.earner][0] += part.earned_microusd
        sums[part.earner][1] += part.fee_microusd
    if not sums:
        return
    told: list[Any] = []
    for earner in sorted(sums, key=lambda one: (one.host_id, one.machine_id)):
        machine = EarnedDay._meta.get_field("machine_id").get_db_prep_value(
            earner.machine_id, connection
        )
        told += [earner.host_id, *day_of(now), machine, *sums[earner]]
    rows = ", ".join(["(%s, %s, %s, %s, %s)"] * len(sums))
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(rows=f"VALUES {rows}"), told)


def day_of(now: datetime) -> Sequence[Any]:
    """Return the day of UTC, as a parameter of a statement."""
    day = EarnedDay._meta.get_field("day")
    return [day.get_db_prep_value(now.astimezone(UTC).date(), connection)]
