"""This will charge what a placement costs beside its time: its kept disk and its traffic."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd, fee_of, format_usd
from marketplace.domain.placement import LIVE
from marketplace.ledger.actions import hold as holds
from marketplace.ledger.models import Account
from marketplace.metering.models import Meter, SideMeter

#: less than this waits for more, or for the end: each charge is two transfers
DUE_MICROUSD = 10_000


def is_due(side: SideMeter) -> bool:
    """Say whether enough of it is counted and not charged."""
    counted = side.storage_cost_microusd + side.traffic_cost_microusd
    return counted - side.storage_microusd - side.traffic_microusd >= DUE_MICROUSD


def charge_side(*, meter_id: UUID, now: datetime) -> None:
    """Charge what is counted and was not charged; where there is nothing of it, do nothing.

    Charges are cumulative and named by the sum reached, so that a repeat posts nothing. They never
    take more than is held: then what is missing is the host's loss.
    """
    if not SideMeter.objects.filter(meter_id=meter_id).exists():
        return
    with transaction.atomic():
        rows = Meter.objects.select_for_update(of=("self",))
        meter = rows.select_related("hold", "placement").get(id=meter_id)
        if meter.closed_at is not None:
            return
        side = SideMeter.objects.select_for_update().get(meter=meter)
        left = int(Account.objects.get(id=meter.hold.account_id).balance_microusd)
        spare = max(0, left - _still_to_run(meter, now))
        storage = min(side.storage_cost_microusd, side.storage_microusd + spare)
        left -= storage - side.storage_microusd
        traffic = min(side.traffic_cost_microusd, side.traffic_microusd + left)
        _charge(meter, TransferKind.STORAGE, side.storage_microusd, storage, _disk(side), now)
        _charge(meter, TransferKind.NETWORK, side.traffic_microusd, traffic, _traffic(side), now)
        side.storage_microusd, side.traffic_microusd = storage, traffic
        side.fee_microusd = fee_of(storage, meter.fee_ppm) + fee_of(traffic, meter.fee_ppm)
        side.save(update_fields=["storage_microusd", "traffic_microusd", "fee_microusd"])


def _still_to_run(meter: Meter, now: datetime) -> int:
    """Return what the time that is not charged may cost yet; its disk must not use that up.

    A disk costs no more than an hour did at the start. Where that became cheaper by a lower bid,
    the hold could not pay both, and what ran then would be charged never and end never.
    """
    placement, ms = meter.placement, meter.proven_ms
    if placement.state in LIVE:
        ms += max(0, (placement.funded_until - now) // timedelta(milliseconds=1))
    if meter.proven_ms_max is not None:
        # More time than that is not paid for yet, and never counts.
        ms = max(meter.proven_ms, min(ms, meter.proven_ms_max))
    return meter.priced.cost(ms) - meter.charged_microusd


def _charge(
    meter: Meter, kind: TransferKind, charged: int, total: int, note: str, now: datetime
) -> None:
    if total <= charged:
        return
    holds.capture(
        hold_id=meter.hold_id,
        amount_microusd=MicroUsd(total - charged),
        host_user_id=meter.host_id,
        machine_id=meter.placement.machine_id,
        fee_microusd=MicroUsd(fee_of(total, meter.fee_ppm) - fee_of(charged, meter.fee_ppm)),
        cause=f"meter:{meter.id}:{kind}:{total}",
        note=note,
        kind=kind,
        now=now,
    )


def _disk(side: SideMeter) -> str:
    return f"Disk kept while stopped, at {format_usd(side.storage_price_microusd)} a GB and 30 days"


def _traffic(side: SideMeter) -> str:
    return f"Traffic at {format_usd(side.network_price_microusd)} a GB"
