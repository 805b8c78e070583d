"""This will find what of a machine's signed intervals counts, by looks, nonces and stops."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from marketplace.domain import door as doors
from marketplace.domain import nonce
from marketplace.domain.intervals import Bounds, Stretch, behind_open_door, may_count, placed
from marketplace.domain.metered import counted
from marketplace.metering.models import Meter, PriceChange
from marketplace.placements.models import Placement
from protocol.agent import ObservedPlacement
from protocol.receipts import Interval
from protocol.workload import PlacementKind

#: runs that are over and wait for a look, at most; one look a minute proves all before it
WAITING_MAX = 50


@dataclass(slots=True)
class Chain:
    """One placement's intervals on their way to be stored."""

    meter: Meter
    machine_key: str
    #: what the machine tells of the placement in the same sync; None: nothing
    told: ObservedPlacement | None
    stopped_at: datetime | None
    #: the newest that is stored; None: none is
    previous: Interval | None
    unbroken_from_age_ms: int
    #: of runs that are over: what no look has proven yet, in order
    waiting: list[Stretch]
    #: that wait for their moment to be passed, in the order of these
    changes: list[PriceChange]
    #: that were passed
    changed: list[PriceChange] = field(default_factory=list)
    #: of SignedIntervalRow, in order
    rows: list[dict[str, Any]] = field(default_factory=list)


def count(chain: Chain, interval: Interval, now: datetime, *, left: int) -> Stretch | None:
    """Return what counts with the interval that comes next in the chain; None: nothing yet.

    ``left``: intervals of the same sync that may be counted, this one with them.
    """
    if not _continues(interval, chain.previous):
        _set_aside(chain, now)
        chain.unbroken_from_age_ms = interval.from_age_ms
    chain.previous = interval
    stretch = _within(chain.meter, _proven(chain, _place(chain, interval, now), now, left=left))
    return _of_signed(chain.meter, interval, stretch)


def prove(chain: Chain, stretch: Stretch) -> None:
    """Count a stretch in the meter, each millisecond at the price of its server time.

    What is counted only moves forward in server time, so a change once passed is passed for good.
    """
    meter = chain.meter
    if chain.changes:
        _pass_changes(chain, stretch)
    meter.proven_ms += stretch.ms
    meter.proven_until = stretch.end


def _pass_changes(chain: Chain, stretch: Stretch) -> None:
    meter, former = chain.meter, chain.meter.price_hour_microusd
    priced, passed = counted(
        meter.priced, chain.changes, stretch=stretch, proven_ms=meter.proven_ms
    )
    for change, from_ms in zip(chain.changes, passed, strict=False):
        change.from_ms, change.former_price_hour_microusd = from_ms, former
        former = change.price_hour_microusd
        chain.changed.append(change)
    del chain.changes[: len(passed)]
    meter.price_hour_microusd = priced.price_hour_microusd
    meter.priced_from_ms, meter.priced_from_microusd = priced.from_ms, priced.from_microusd
    meter.next_price_at = chain.changes[0].at if chain.changes else None


def forget_counted(chain: Chain, now: datetime) -> None:
    """Let go of what waits for a look in vain: it is counted, or a look would not prove it."""
    bounds = _bounds(chain, now)
    chain.waiting = [one for one in chain.waiting if may_count(one, bounds)]


def _continues(interval: Interval, previous: Interval | None) -> bool:
    return (
        previous is not None
        and interval.run == previous.run
        and interval.from_age_ms == previous.to_age_ms
    )


def _set_aside(chain: Chain, now: datetime) -> None:
    """Keep what is signed until now for the look that proves it: another run begins.

    Otherwise a renter who restarts all the time computes for nothing.
    """
    if chain.previous is not None:
        ended = _place(chain, chain.previous, now)
        chain.waiting = [*chain.waiting, *([ended] if ended else [])][-WAITING_MAX:]


def _proven(chain: Chain, lies: Stretch | None, now: datetime, *, left: int) -> Stretch | None:
    """Return what counts with an interval that lies there, of it or of what waited."""
    bounds = _bounds(chain, now)
    some = [*chain.waiting, *([lies] if lies else [])]
    found = [one for one in (behind_open_door(each, bounds) for each in some) if one]
    if not found:
        return None
    if chain.stopped_at is not None:
        # A row has one stretch, and none may come after these: the longest have them.
        found = sorted(found, key=lambda one: one.ms)[-left:]
    return min(found, key=lambda one: one.start)


def _place(chain: Chain, interval: Interval, now: datetime) -> Stretch | None:
    meter, told = chain.meter, chain.told
    placement = meter.placement
    if told is not None and told.run == interval.run and told.age_ms is not None:
        meter.run, meter.run_started_at = told.run, now - timedelta(milliseconds=told.age_ms)
    if meter.run_started_at is None or meter.run != interval.run:
        return None
    secret, machine_id = settings.SECRET_KEY.encode(), str(placement.machine_id)
    return placed(
        # An interval's nonce is older than its end, so its last seconds are proven by the next one.
        from_age_ms=chain.unbroken_from_age_ms,
        to_age_ms=interval.to_age_ms,
        started_at=meter.run_started_at,
        # A job's end is no secret of its machine's: it said so, and was heard, after it.
        nonce_at=now
        if placement.kind == PlacementKind.JOB
        else nonce.issued_at(interval.nonce, secret=secret, machine_id=machine_id),
        bounds=_bounds(chain, now),
    )


def _bounds(chain: Chain, now: datetime) -> Bounds:
    placement = chain.meter.placement
    return Bounds(
        door=_door(placement, now),
        proven_until=chain.meter.proven_until,
        stop_requested_at=chain.stopped_at,
        funded_until=placement.funded_until,
    )


def _door(placement: Placement, now: datetime) -> Stretch | None:
    if placement.kind == PlacementKind.JOB:
        # It has none: what it may cost lies between two words of its machine (ADR 10).
        return Stretch(placement.accepted_at or placement.created_at, now)
    if placement.door is None:
        return None
    stop_at = placement.stop_requested_at
    if stop_at is None and placement.funded_until <= now:
        stop_at = placement.funded_until
    return doors.proven(placement.door, stop_at=stop_at)


def _within(meter: Meter, stretch: Stretch | None) -> Stretch | None:
    """Return what of the stretch the meter still counts."""
    if stretch is None or meter.proven_ms_max is None:
        return stretch
    return _no_longer(stretch, meter.proven_ms_max - meter.proven_ms)


def _no_longer(stretch: Stretch | None, ms: int) -> Stretch | None:
    if stretch is None:
        return None
    short = Stretch(stretch.start, min(stretch.end, stretch.start + timedelta(milliseconds=ms)))
    return short if short.ms > 0 else None


def _of_signed(meter: Meter, interval: Interval, stretch: Stretch | None) -> Stretch | None:
    """Return what of the stretch its machine signed for: of a clock of ours that steps forward, all
    that it skipped lies in the stretch as well.
    """
    signed_ms = meter.signed_ms + interval.to_age_ms - interval.from_age_ms
    return _no_longer(stretch, signed_ms - meter.proven_ms)
