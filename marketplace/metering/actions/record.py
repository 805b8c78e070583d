"""This will store the intervals that a machine signed and count what may be billed of them."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet, TextField
from django.db.models.functions import Cast

from marketplace import many_rows
from marketplace.domain.intervals import (
    Stretch,
)
from marketplace.domain.placement import PlacementState
from marketplace.kept_sql import kept
from marketplace.machines.actions import desire
from marketplace.metering.actions.counting import Chain, count, forget_counted, prove
from marketplace.metering.models import Meter, PriceChange, SignedIntervalRow
from marketplace.placements.models import Placement, PlacementEvent
from protocol.agent import ObservedPlacement, RefusedInterval
from protocol.receipts import (
    GENESIS,
    BrokenChain,
    Interval,
    SignedInterval,
    check_next,
    digest,
)

logger = logging.getLogger(__name__)
#: Intervals that a placement may have: these, which its restarts use up, and one each INTERVAL_S
#: since its meter opened. An agent closes one every 10 s and at the end of a run.
INTERVALS_FREE, INTERVAL_S = 100, 5
#: a machine's clock may run ahead of ours by one part in so many, and a minute
DRIFT_PART, DRIFT = 100, timedelta(minutes=1)
#: of a placement: what decides about an interval; the rest costs as much to read as all else here
READ = (
    *("machine_id", "kind", "state", "created_at", "accepted_at", "running_at", "funded_until"),
    *("stop_requested_at", "door_open_since", "door_seen_at", "door_missed_at", "door_looks"),
    *("next_sequence", "refused_interval"),
)
#: of a meter, beside what an interval moves
READ_OF_METER = (
    *("placement_id", "proven_ms_max", "opened_at", "closed_at", "waiting", "next_price_at"),
    *("price_hour_microusd", "priced_from_ms", "priced_from_microusd"),
)
#: the columns of a meter that an interval moves
COUNTED = ("signed_ms", "proven_ms", "proven_until", "run", "run_started_at")
#: the columns of a meter, and of its price change, that a passed change moves
PRICED = ("price_hour_microusd", "priced_from_ms", "priced_from_microusd", "next_price_at")
PASSED = ("from_ms", "former_price_hour_microusd")


@dataclass(frozen=True, slots=True)
class Sent:
    """What one machine sent in one sync."""

    machine_id: UUID
    machine_key: str
    observed: Sequence[ObservedPlacement]
    intervals: Sequence[SignedInterval]


def record(*, sent: Sequence[Sent], now: datetime) -> None:
    """Store each interval that continues its placement's chain; repeat as often as you like.

    One that does not is refused alone, and the machine is never told that it is stored. Nor is one
    that comes sooner than time passes: the machine sends it again. Once a meter is closed nothing
    counts any more, so nothing is kept, and the machine hears that it may forget it.

    However many machines sent something, they are read and written together. Call it in a
    transaction that locked the placements (actions/lock.py of them): meters come after these.
    """
    by_placement: dict[tuple[UUID, UUID], list[SignedInterval]] = {}
    for one in sent:
        for signed in one.intervals:
            key = one.machine_id, signed.interval.placement_id
            by_placement.setdefault(key, []).append(signed)
    senders = {one.machine_id: one for one in sent}
    with transaction.atomic(savepoint=False):
        meters = _locked({placement_id for _, placement_id in by_placement})
        last = _last([meter for meter in meters if meter.closed_at is None])
        changes = _changes(meters)
        chains = []
        for meter in meters:
            machine_id = meter.placement.machine_id
            intervals = by_placement.get((machine_id, meter.placement_id))
            if intervals is None:
                # Another machine's: it says nothing about this one's placements.
                continue
            intervals.sort(key=lambda signed: signed.interval.sequence)
            if meter.closed_at is not None:
                _forget(meter, intervals, now)
                continue
            chain = _chain(meter, senders[machine_id], last.get(meter.placement_id))
            chain.changes = changes.get(meter.id, [])
            _continue(chain, intervals, now)
            chains.append(chain)
        _write([chain for chain in chains if chain.rows])


def _locked(placement_ids: Collection[UUID]) -> list[Meter]:
    meters = Meter.objects.select_for_update(of=("self",)).select_related("placement")
    read = [*READ_OF_METER, *COUNTED, *(f"placement__{name}" for name in READ)]
    return list(meters.filter(placement_id__in=placement_ids).only(*read).order_by("id"))


def _last(meters: Sequence[Meter]) -> dict[UUID, tuple[Interval, int]]:
    """Return of each meter's placement what is stored last: the one below what comes next.

    With it comes the age since which the machine had signed for its run without a gap.
    """
    ids = [meter.placement_id for meter in meters if meter.placement.next_sequence]
    if not ids:
        return {}
    return {
        placement_id: (SignedInterval.model_validate_json(text).interval, unbroken_from_age_ms)
        for placement_id, text, unbroken_from_age_ms in _newest(ids)
    }


@kept()
def _newest(
    placement_ids: Collection[UUID], _now: datetime
) -> QuerySet[SignedIntervalRow, tuple[Any, ...]]:
    newest = SignedIntervalRow.objects.filter(sequence=F("placement__next_sequence") - 1)
    rows = newest.filter(placement_id__in=placement_ids).order_by("id")
    # As text: to be read once, and not into dictionaries first.
    texts = rows.annotate(text=Cast("signed", TextField()))
    return texts.values_list("placement_id", "text", "unbroken_from_age_ms")


def _changes(meters: Sequence[Meter]) -> dict[UUID, list[PriceChange]]:
    """Return the price changes that wait, by meter, in the order in which they take hold."""
    ids = [meter.id for meter in meters if meter.next_price_at is not None]
    found: dict[UUID, list[PriceChange]] = {}
    if ids:
        for change in PriceChange.objects.filter(meter_id__in=ids, from_ms=None).order_by(
            "at", "id"
        ):
            found.setdefault(change.meter_id, []).append(change)
    return found


def _chain(meter: Meter, sender: Sent, last: tuple[Interval, int] | None) -> Chain:
    previous, unbroken_from_age_ms = last or (None, 0)
    told = (one for one in sender.observed if one.placement_id == meter.placement_id)
    return Chain(
        meter=meter,
        machine_key=sender.machine_key,
        told=next(told, None),
        stopped_at=_stopped_at(meter.placement),
        previous=previous,
        unbroken_from_age_ms=unbroken_from_age_ms,
        waiting=[Stretch(*map(datetime.fromisoformat, pair)) for pair in meter.waiting],
        changes=[],
    )


def _continue(chain: Chain, intervals: Sequence[SignedInterval], now: datetime) -> None:
    refusals: list[tuple[SignedInterval, BrokenChain]] = []
    for number, signed in enumerate(intervals):
        previous = chain.previous
        if previous is not None and signed.interval.sequence <= previous.sequence:
            continue
        try:
            check_next(signed, machine_key=chain.machine_key, previous=previous)
        except BrokenChain as error:
            refusals.append((signed, error))
            continue
        if not _has_passed(chain.meter, signed.interval, now):
            break
        stretch = count(chain, signed.interval, now, left=len(intervals) - number)
        _store(chain, signed, stretch, now)
    _tell_refused(chain.meter.placement, _refused(refusals, chain.previous))


def _write(chains: Sequence[Chain]) -> None:
    many_rows.insert(SignedIntervalRow, [row for chain in chains for row in chain.rows])
    many_rows.update(
        Meter,
        {
            chain.meter.id: {name: getattr(chain.meter, name) for name in COUNTED}
            for chain in chains
        },
    )
    _write_prices([chain for chain in chains if chain.changed])
    for chain in chains:
        waiting = [[one.start.isoformat(), one.end.isoformat()] for one in chain.waiting]
        if waiting != chain.meter.waiting:
            Meter.objects.filter(id=chain.meter.id).update(waiting=waiting)
    many_rows.update(
        Placement,
        {
            chain.meter.placement_id: {"next_sequence": chain.rows[-1]["sequence"] + 1}
            for chain in chains
        },
    )


def _write_prices(chains: Sequence[Chain]) -> None:
    many_rows.update(
        Meter,
        {chain.meter.id: {name: getattr(chain.meter, name) for name in PRICED} for chain in chains},
    )
    many_rows.update(
        PriceChange,
        {
            change.pk: {name: getattr(change, name) for name in PASSED}
            for chain in chains
            for change in chain.changed
        },
    )


def _forget(meter: Meter, chain: Sequence[SignedInterval], now: datetime) -> None:
    # No further than there was time for: what is told to be stored has to fit its message.
    numbers_max, placement = _intervals_max(meter, now), meter.placement
    numbers = [signed.interval.sequence for signed in chain]
    sent = max((number + 1 for number in numbers if number < numbers_max), default=0)
    if sent > placement.next_sequence:
        Placement.objects.filter(id=placement.id).update(next_sequence=sent, refused_interval=None)


def _has_passed(meter: Meter, interval: Interval, now: datetime) -> bool:
    """Say whether there was time for the interval, and for as many, since the meter opened."""
    passed = now - meter.opened_at
    signed = timedelta(milliseconds=meter.signed_ms + interval.to_age_ms - interval.from_age_ms)
    is_soon = interval.sequence >= _intervals_max(meter, now)
    return not is_soon and signed <= passed + passed / DRIFT_PART + DRIFT


def _intervals_max(meter: Meter, now: datetime) -> int:
    return INTERVALS_FREE + (now - meter.opened_at) // timedelta(seconds=INTERVAL_S)


def _refused(
    refusals: Sequence[tuple[SignedInterval, BrokenChain]], previous: Interval | None
) -> RefusedInterval | None:
    """Return the first interval that was refused and that no good one took the place of."""
    expected = 0 if previous is None else previous.sequence + 1
    for signed, error in refusals:
        if signed.interval.sequence >= expected:
            return RefusedInterval(
                signature=signed.signature,
                previous=GENESIS if previous is None else digest(previous),
                reason=str(error),
            )
    return None


def _tell_refused(placement: Placement, refused: RefusedInterval | None) -> None:
    """Let the machine know, at once, that its chain goes on elsewhere than it thinks."""
    told = refused and refused.model_dump(mode="json")
    if placement.refused_interval == told:
        return
    Placement.objects.filter(id=placement.id).update(refused_interval=told)
    if refused is not None:
        logger.warning(
            "Interval refused", extra={"placement_id": placement.id, "reason": refused.reason}
        )
        desire.bump(machine_id=placement.machine_id)


def _stopped_at(placement: Placement) -> datetime | None:
    """Return when its end was asked for or told, whichever came first; None: it goes on.

    A machine that says that it ended it, yet goes on signing, is paid up to that word.
    """
    moments = [placement.stop_requested_at]
    if placement.state != PlacementState.RUNNING and placement.running_at is not None:
        # Of this run: it may have left RUNNING before, by a stop.
        events = PlacementEvent.objects.filter(
            placement_id=placement.id,
            old_state=PlacementState.RUNNING,
            at__gte=placement.running_at,
        )
        left = events.exclude(new_state=PlacementState.RUNNING).order_by("at")
        moments.append(left.values_list("at", flat=True).first())
    return min((moment for moment in moments if moment is not None), default=None)


def _store(chain: Chain, signed: SignedInterval, stretch: Stretch | None, now: datetime) -> None:
    meter = chain.meter
    chain.rows.append(
        {
            "placement": meter.placement_id,
            "sequence": signed.interval.sequence,
            "signed": signed.model_dump_json(),
            "unbroken_from_age_ms": chain.unbroken_from_age_ms,
            "received_at": now,
            "billable_from": stretch.start if stretch else None,
            "billable_to": stretch.end if stretch else None,
        }
    )
    meter.signed_ms += signed.interval.to_age_ms - signed.interval.from_age_ms
    if stretch is not None:
        prove(chain, stretch)
    forget_counted(chain, now)
