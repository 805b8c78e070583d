"""This will store the intervals that a machine signed and count what may be billed of them."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from marketplace.domain import door as doors
from marketplace.domain import nonce
from marketplace.domain.intervals import Bounds, Stretch, billable
from marketplace.domain.placement import PlacementState
from marketplace.machines.actions import desire
from marketplace.metering.models import Meter, SignedIntervalRow
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


def record(
    *,
    machine_id: UUID,
    machine_key: str,
    observed: Sequence[ObservedPlacement],
    intervals: Sequence[SignedInterval],
    now: datetime,
) -> None:
    """Store each interval that continues its placement's chain; repeat as often as you like.

    One that does not is refused alone, and the machine is never told that it is stored. Nor is one
    that comes sooner than time passes: the machine sends it again. Once a meter is closed nothing
    counts any more, so nothing is kept, and the machine hears that it may forget it.
    """
    told = {placement.placement_id: placement for placement in observed}
    by_placement: dict[UUID, list[SignedInterval]] = {}
    for signed in intervals:
        by_placement.setdefault(signed.interval.placement_id, []).append(signed)
    for placement_id, chain in by_placement.items():
        chain.sort(key=lambda signed: signed.interval.sequence)
        _record_chain(machine_id, machine_key, placement_id, told, chain, now)


def _record_chain(
    machine_id: UUID,
    machine_key: str,
    placement_id: UUID,
    told: Mapping[UUID, ObservedPlacement],
    chain: Sequence[SignedInterval],
    now: datetime,
) -> None:
    with transaction.atomic():
        meter = (
            Meter.objects.select_for_update(of=("self",))
            .select_related("placement")
            .filter(placement_id=placement_id, placement__machine_id=machine_id)
            .first()
        )
        if meter is None:
            return
        if meter.closed_at is not None:
            _forget(meter.placement, chain)
            return
        stopped_at = _stopped_at(meter.placement)
        last = _last_row(placement_id)
        previous = SignedInterval.model_validate(last.signed).interval if last else None
        unbroken_from_age_ms = last.unbroken_from_age_ms if last else 0
        refusals: list[tuple[SignedInterval, BrokenChain]] = []
        for signed in chain:
            if previous is not None and signed.interval.sequence <= previous.sequence:
                continue
            try:
                check_next(signed, machine_key=machine_key, previous=previous)
            except BrokenChain as error:
                refusals.append((signed, error))
                continue
            if not _has_passed(meter, signed.interval, now):
                break
            if not _continues(signed.interval, previous):
                unbroken_from_age_ms = signed.interval.from_age_ms
            previous = signed.interval
            stretch = _billable(
                meter,
                previous,
                unbroken_from_age_ms,
                told.get(placement_id),
                machine_id,
                stopped_at,
                now,
            )
            _store(meter, signed, unbroken_from_age_ms, stretch, now)
        if previous is not None:
            Placement.objects.filter(id=placement_id).update(next_sequence=previous.sequence + 1)
        _tell_refused(meter.placement, _refused(refusals, previous))
        meter.save(update_fields=["signed_ms", "proven_ms", "proven_until"])


def _forget(placement: Placement, chain: Sequence[SignedInterval]) -> None:
    sent = max(signed.interval.sequence for signed in chain) + 1
    if sent > placement.next_sequence:
        Placement.objects.filter(id=placement.id).update(next_sequence=sent, refused_interval=None)


def _has_passed(meter: Meter, interval: Interval, now: datetime) -> bool:
    """Say whether there was time for the interval, and for as many, since the meter opened."""
    passed = now - meter.opened_at
    signed = timedelta(milliseconds=meter.signed_ms + interval.to_age_ms - interval.from_age_ms)
    intervals_max = INTERVALS_FREE + passed // timedelta(seconds=INTERVAL_S)
    return interval.sequence < intervals_max and signed <= passed + passed / DRIFT_PART + DRIFT


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


def _last_row(placement_id: UUID) -> SignedIntervalRow | None:
    return SignedIntervalRow.objects.filter(placement_id=placement_id).order_by("-sequence").first()


def _stopped_at(placement: Placement) -> datetime | None:
    """Return when its end was asked for or told, whichever came first; None: it goes on.

    A machine that says that it ended it, yet goes on signing, is paid up to that word.
    """
    moments = [placement.stop_requested_at]
    if placement.state != PlacementState.RUNNING:
        left = PlacementEvent.objects.filter(
            placement_id=placement.id, old_state=PlacementState.RUNNING
        ).order_by("at")
        moments.append(left.values_list("at", flat=True).first())
    return min((moment for moment in moments if moment is not None), default=None)


def _continues(interval: Interval, previous: Interval | None) -> bool:
    return (
        previous is not None
        and interval.run == previous.run
        and interval.from_age_ms == previous.to_age_ms
    )


def _billable(
    meter: Meter,
    interval: Interval,
    unbroken_from_age_ms: int,
    told: ObservedPlacement | None,
    machine_id: UUID,
    stopped_at: datetime | None,
    now: datetime,
) -> Stretch | None:
    placement = meter.placement
    same_run = told is not None and told.run == interval.run
    return billable(
        # An interval's nonce is older than its end, so its last seconds are proven by the next one.
        from_age_ms=unbroken_from_age_ms,
        to_age_ms=interval.to_age_ms,
        age_ms=told.age_ms if told is not None and same_run else None,
        received_at=now,
        nonce_at=nonce.issued_at(
            interval.nonce, secret=settings.SECRET_KEY.encode(), machine_id=str(machine_id)
        ),
        bounds=Bounds(
            door=_door(placement, now),
            proven_until=meter.proven_until,
            stop_requested_at=stopped_at,
            funded_until=placement.funded_until,
        ),
    )


def _door(placement: Placement, now: datetime) -> Stretch | None:
    if placement.door is None:
        return None
    stop_at = placement.stop_requested_at
    if stop_at is None and placement.funded_until <= now:
        stop_at = placement.funded_until
    return doors.proven(placement.door, stop_at=stop_at)


def _store(
    meter: Meter,
    signed: SignedInterval,
    unbroken_from_age_ms: int,
    stretch: Stretch | None,
    now: datetime,
) -> None:
    SignedIntervalRow.objects.create(
        placement_id=meter.placement_id,
        sequence=signed.interval.sequence,
        signed=signed.model_dump(mode="json"),
        unbroken_from_age_ms=unbroken_from_age_ms,
        received_at=now,
        billable_from=stretch.start if stretch else None,
        billable_to=stretch.end if stretch else None,
    )
    meter.signed_ms += signed.interval.to_age_ms - signed.interval.from_age_ms
    if stretch is not None:
        meter.proven_ms += stretch.ms
        meter.proven_until = stretch.end
