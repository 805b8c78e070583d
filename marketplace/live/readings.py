"""This will say what the rentals on open pages use now, by one statement however many."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from pydantic import ValidationError

from marketplace import plain_sql
from marketplace.domain.money import MICROUSD_PER_USD
from marketplace.domain.usage import columns_of, points, slot_of
from protocol.usage import USAGE_EVERY_S, PlacementUsage

#: A reading is looked for in the rows that the newest ones of its machine take; an index has them.
LOOKED_BACK = 2
NEWEST = """
SELECT told.key, t.at, {of_placement},
    m.charged_microusd + COALESCE(s.storage_microusd + s.traffic_microusd, 0),
    (SELECT count(*) FROM telemetry_incident i WHERE i.placement_id = p.id)
FROM {pairs}
JOIN rentals_rental r ON r.id = told.key AND r.forgotten_at IS NULL
JOIN placements_placement p ON p.id = r.placement_id
JOIN metering_meter m ON m.id = r.meter_id
JOIN telemetry_reading t ON t.machine_id = p.machine_id AND t.slot IN (%(now)s, %(before)s)
    AND t.at > {told_moment}
LEFT JOIN metering_sidemeter s ON s.meter_id = m.id
ORDER BY t.at
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rental used at its newest reading."""

    at: datetime
    usage: PlacementUsage
    #: JSON: ``domain.usage.columns_of``, its cost in dollars, and how often something went wrong
    told: str


def newer(known: Mapping[UUID, Measured | None], *, now: datetime) -> Mapping[UUID, Measured]:
    """Return the newest reading of those rentals that have a newer one than is known."""
    slots = [slot_of(now - timedelta(seconds=back * USAGE_EVERY_S)) for back in range(LOOKED_BACK)]
    fresh = now - timedelta(seconds=LOOKED_BACK * USAGE_EVERY_S)
    since = {
        rental_id: fresh if one is None else max(one.at, fresh) for rental_id, one in known.items()
    }
    rows = plain_sql.fetch(NEWEST, now=slots[0], before=slots[1], **_pairs(since))
    found: dict[UUID, list[tuple[Any, ...]]] = {}
    for key, *row in rows:
        # A machine tells nothing of a placement that does not run.
        if row[1] is not None:
            found.setdefault(key if isinstance(key, UUID) else UUID(key), []).append(tuple(row))
    told = ((rental_id, _measured(known[rental_id], some)) for rental_id, some in found.items())
    return {rental_id: measured for rental_id, measured in told if measured is not None}


def _pairs(since: Mapping[UUID, datetime]) -> dict[str, str]:
    if connection.vendor == "postgresql":
        values = ",".join(f'"{at.isoformat()}"' for at in since.values())
        return {"keys": "{" + ",".join(map(str, since)) + "}", "values": "{" + values + "}"}
    # As Django writes them there.
    told = {rental_id.hex: str(at.replace(tzinfo=None)) for rental_id, at in since.items()}
    return {"pairs": json.dumps(told)}


def _measured(before: Measured | None, rows: Sequence[tuple[Any, ...]]) -> Measured | None:
    """Return the newest; None: a newer version of this program wrote it, and knows what it says."""
    known = [] if before is None else [(before.at, before.usage)]
    try:
        known += [
            # SQLite's moments have no zone.
            (at.replace(tzinfo=UTC), PlacementUsage.model_validate_json(content))
            for at, content, *_ in rows
        ]
    except ValidationError:
        return None
    *_, charged, incidents = rows[-1]
    told = columns_of(points(known)[-1]) | {
        "cost": charged / MICROUSD_PER_USD,
        "incidents": incidents,
    }
    return Measured(*known[-1], told=json.dumps(told, separators=(",", ":")))
