"""This will say which of the rentals on open pages changed, by one statement however many."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from time import time as now_s
from uuid import UUID

from django.db import connection

from marketplace import plain_sql
from marketplace.rentals.models import Rental

#: of a rental that nobody has looked at yet
UNSEEN = "unseen"
#: of one that is not there, or that its renter took off the list
GONE = "gone"
#: how often a rental that bids counts as changed
BIDS_EVERY_S = 15
#: Everything that a rental's panel shows (pages/shown/rental.py) but what time alone changes, and
#: which bid wins: that is all other bids', and is looked at with every beat.
SHOWN = """
    r.name, r.price_hour_microusd, r.priced_from_ms, r.priced_from_microusd, r.delivered_ppm,
    r.worst_total_microusd, r.files_until,
    p.state, p.want, p.progress, p.reason_code, p.reason, p.reachable_at, p.door_missed_at,
    p.stop_requested_at, p.ended_at, p.funded_until, p.paid_until, p.ssh_host, p.ssh_port,
    p.ssh_host_key, p.edition, p.former_workload IS NULL, p.change_code, p.change_reason, p.ports,
    p.bid_hour_microusd, p.outbid_stop_at, p.resume_due_at, p.starts,
    m.price_hour_microusd, m.charged_ms, m.charged_microusd, m.closed_at,
    h.returned_microusd, a.credits_posted - a.debits_posted,
    s.stored_ms, s.traffic_bytes, s.traffic_microusd_max,
    i.after_s, i.below_percent, f.successor_id,
    q.price_hour_microusd, q.from_at, q.state,
    o.maintenance_from,
    CASE WHEN p.reachable_at IS NULL THEN o.start_p50_ms END,
    CASE WHEN p.reachable_at IS NULL THEN o.start_p95_ms END,
    CASE WHEN p.reachable_at IS NULL THEN o.starts END,
    CASE WHEN p.reachable_at IS NULL THEN o.starts_failed END,
    CASE WHEN p.bid_hour_microusd IS NOT NULL THEN %(beat)s END
"""
CHANGED = f"""
SELECT key, version, live FROM (
    SELECT told.key AS key, told.value AS known,
        r.id IS NOT NULL AND (p.ended_at IS NULL OR m.closed_at IS NULL) AS live,
        CASE WHEN r.id IS NULL THEN '{GONE}' ELSE {{digest}}{SHOWN}{{digested}} END AS version
    FROM {{pairs}}
    LEFT JOIN rentals_rental r ON r.id = told.key AND r.forgotten_at IS NULL
    LEFT JOIN placements_placement p ON p.id = r.placement_id
    LEFT JOIN metering_meter m ON m.id = r.meter_id
    LEFT JOIN ledger_hold h ON h.id = m.hold_id
    LEFT JOIN ledger_account a ON a.id = h.account_id
    LEFT JOIN metering_sidemeter s ON s.meter_id = m.id
    LEFT JOIN rentals_idlerule i ON i.rental_id = r.id
    LEFT JOIN rentals_failover f ON f.rental_id = r.id
    LEFT JOIN rentals_priceproposal q ON q.rental_id = r.id AND q.state IN ('open', 'declined')
    LEFT JOIN offers_offer o ON o.id = r.offer_id
) looked WHERE version <> known
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Seen:
    """A rental at the newest look."""

    #: another one where its panel is
    version: str
    #: what is shown may still change
    live: bool


def changed(known: Mapping[UUID, str]) -> Mapping[UUID, Seen]:
    """Return those of the rentals whose version is another than the known one."""
    beat = str(int(now_s() // BIDS_EVERY_S))
    if connection.vendor == "postgresql":
        keys = "{" + ",".join(map(str, known)) + "}"
        values = "{" + ",".join(known.values()) + "}"
        rows = plain_sql.fetch(CHANGED, keys=keys, values=values, beat=beat)
    else:
        told = {rental_id.hex: version for rental_id, version in known.items()}
        rows = plain_sql.fetch(CHANGED, pairs=json.dumps(told), beat=beat)
    return {
        key if isinstance(key, UUID) else UUID(key): Seen(version, live=bool(live))
        for key, version, live in rows
    }


def changed_since(
    moment: str | None, known: Mapping[UUID, str]
) -> tuple[Mapping[UUID, Seen], str | None]:
    """Return those, and the moment of this look; an empty look where nothing was written since.

    ``moment``: of the newest look. None: there was none, or the database does not number them.
    """
    newest = _moment()
    # Taken before the look, so that what is written meanwhile has a later one.
    if newest is not None and newest == moment and UNSEEN not in known.values():
        return {}, newest
    return changed(known), newest


def _moment() -> str | None:
    if connection.vendor != "postgresql":
        return None
    # Which transactions have ended by now: another one with each that writes.
    ((snapshot,),) = plain_sql.fetch("SELECT pg_current_snapshot()::text")
    return str(snapshot)


def version(rental_id: UUID) -> str:
    """Return the version of a rental now."""
    return changed({rental_id: UNSEEN})[rental_id].version


def renters(rental_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return whose rentals these are; those missing are not there, or off their renters' lists."""
    rows = Rental.objects.filter(id__in=rental_ids, forgotten_at=None)
    return dict(rows.order_by("id").values_list("id", "renter_id"))
