"""This will count anew, from intervals and agreed prices, what each rental may be charged."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from marketplace.metering.models import Meter, SignedIntervalRow
from tests.marketplace.money.books import rows
from tests.marketplace.money.box import Box

MS = timedelta(milliseconds=1)
HOUR_MS, PPM = 3_600_000, 1_000_000
GB, MONTH_MS = 10**9, 30 * 24 * HOUR_MS
SIDE = ("storage", "network")


@dataclass(slots=True)
class Agreed:
    """What one renter said yes to, as the test heard it."""

    #: of an hour, from the start on
    first: int
    #: whatever an hour may cost by what was agreed later
    prices: set[int] = field(default_factory=set)
    #: a reservation's: of an hour on demand, and the most that an early end costs
    on_demand: int = 0
    term_microusd: int = 0
    #: of a GB and 30 days, and how many bytes
    storage: int = 0
    disk_bytes: int = 0
    #: of a GB of traffic, and the bytes that its machine told in all
    network: int = 0
    told_bytes: int = 0
    #: in millionths of its prices: what a proof showed less of than was listed costs as much less
    shares: set[int] = field(default_factory=lambda: {PPM})

    def allows(self, price_hour_microusd: int) -> bool:
        """Say whether an hour may cost this; a share of a price is rounded down, and again back."""
        agreed = {self.first, *self.prices}
        lowest = (price * share // PPM for price in agreed for share in self.shares)
        return any(0 <= most - price_hour_microusd <= 1 for most in lowest)


def problems(
    box: Box,
    agreed: Mapping[UUID, Agreed],
    fee_ppm: int,
    *,
    slack_ms: int = 0,
    but: Collection[UUID] = (),
) -> Iterator[str]:
    """Yield a sentence for each meter whose charges are not what its machine signed and proved.

    ``agreed``: by placement. ``slack_ms``: how far the site's clock, which alone tells how long a
    disk was kept, stepped forward. ``but``: meters that are left out.
    """
    meters = Meter.objects.select_related("rental", "hold", "side").exclude(id__in=but)
    found_meters = list(meters.prefetch_related("price_changes").order_by("opened_at", "id"))
    moved = _moved()
    intervals: dict[UUID, list[SignedIntervalRow]] = {}
    ids = [meter.placement_id for meter in found_meters]
    for row in SignedIntervalRow.objects.filter(placement_id__in=ids).order_by("id"):
        intervals.setdefault(row.placement_id, []).append(row)
    for meter in found_meters:
        found = intervals.get(meter.placement_id, [])
        yes = agreed[meter.placement_id]
        for wrong in (
            *_unsigned(box, meter, found),
            *_mispriced(meter, found, yes, moved.get(meter.hold.account_id.hex, {}), fee_ppm),
            *_unkept(box, meter, yes, slack_ms),
            *_uncarried(meter, yes),
        ):
            yield f"Meter {meter.id}: {wrong}"


def _moved() -> dict[str, dict[str, int]]:
    """Return by account what charges of time took, the fees of them, and what else did."""
    found: dict[str, dict[str, int]] = {}
    for account, kind, cause, amount in rows(
        "SELECT debit_id, kind, cause, amount_microusd FROM ledger_transfer"
        " WHERE kind IN ('charge', 'fee')"
    ):
        is_side = any(f":{word}:" in cause for word in SIDE)
        name = "side" if is_side else kind
        sums = found.setdefault(str(account).replace("-", ""), {})
        sums[name] = sums.get(name, 0) + int(amount)
    return found


def _unsigned(box: Box, meter: Meter, found: Sequence[SignedIntervalRow]) -> Iterator[str]:
    signed_ms = billed_ms = 0
    for row in found:
        content = row.signed if isinstance(row.signed, dict) else json.loads(row.signed)
        if content["signature"] not in box.signed:
            yield f"its machine never signed interval {row.sequence}"
        signed_ms += content["interval"]["to_age_ms"] - content["interval"]["from_age_ms"]
        billed_ms += sum(_ms(*stretch) for stretch in _stretches([row]))
        if billed_ms > signed_ms:
            yield f"{billed_ms} ms are billed by interval {row.sequence}, of {signed_ms} signed"
    ran_ms = box.of(meter.placement_id).ran_ms
    if not meter.charged_ms <= meter.proven_ms == billed_ms <= signed_ms <= ran_ms:
        yield (
            f"charged {meter.charged_ms} ms, proved {meter.proven_ms}, by its intervals"
            f" {billed_ms}, signed {signed_ms}, ran {ran_ms}"
        )


def _mispriced(
    meter: Meter,
    found: Sequence[SignedIntervalRow],
    yes: Agreed,
    moved: Mapping[str, int],
    fee_ppm: int,
) -> Iterator[str]:
    changes = sorted(meter.price_changes.all(), key=lambda one: (one.at, one.pk))
    charged, fees = moved.get("charge", 0) + moved.get("fee", 0), moved.get("fee", 0)
    if meter.rental.discount_lost_at is not None:
        cost = min(yes.on_demand * meter.charged_ms // HOUR_MS, yes.term_microusd)
    else:
        for change in changes:
            if not yes.allows(change.price_hour_microusd):
                yield f"nobody agreed to {change.price_hour_microusd} an hour"
        prices = [(change.at, change.price_hour_microusd) for change in changes]
        cost = _cost(_first_of(_stretches(found), meter.charged_ms), yes.first, prices)
    if charged != cost:
        yield f"{charged} was charged for {meter.charged_ms} ms, which cost {cost}"
    if fees != cost * fee_ppm // PPM:
        yield f"fees of {fees} were taken of {cost}"


def _unkept(box: Box, meter: Meter, yes: Agreed, slack_ms: int) -> Iterator[str]:
    side = getattr(meter, "side", None)
    if side is None:
        return
    kept_ms = box.of(meter.placement_id).stopped_ms + slack_ms
    most = yes.storage * yes.disk_bytes * kept_ms // (GB * MONTH_MS)
    if side.storage_microusd > most:
        yield f"{side.storage_microusd} was charged for a disk kept {kept_ms} ms, which cost {most}"


def _uncarried(meter: Meter, yes: Agreed) -> Iterator[str]:
    side = getattr(meter, "side", None)
    most = yes.network * yes.told_bytes // GB
    if side is not None and side.traffic_microusd > most:
        yield f"{side.traffic_microusd} was charged for traffic that cost {most}"


def _stretches(found: Sequence[SignedIntervalRow]) -> list[tuple[datetime, datetime]]:
    counted = [
        (row.billable_from, row.billable_to)
        for row in found
        if row.billable_from is not None and row.billable_to is not None
    ]
    return sorted(counted)


def _first_of(stretches: Sequence[Any], left_ms: int) -> list[tuple[datetime, datetime]]:
    """Return the stretches up to so many milliseconds in all."""
    found = []
    for start, end in stretches:
        end = min(end, start + left_ms * MS)
        found.append((start, end))
        left_ms -= _ms(start, end)
    return found


def _cost(
    stretches: Sequence[tuple[datetime, datetime]], first: int, changes: Sequence[tuple[Any, int]]
) -> int:
    """Return what they cost where each price holds from its moment on, rounded down for each."""
    prices = [(datetime.min.replace(tzinfo=stretches[0][0].tzinfo), first)] if stretches else []
    prices += changes if stretches else []
    total = 0
    for number, (since, price) in enumerate(prices):
        until = prices[number + 1][0] if number + 1 < len(prices) else None
        held = sum(
            max(0, _ms(max(start, since), end if until is None else min(end, until)))
            for start, end in stretches
        )
        total += price * held // HOUR_MS
    return total


def _ms(start: datetime, end: datetime) -> int:
    return (end - start) // MS
