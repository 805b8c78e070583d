"""This will cut time into epochs and assemble the public record of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from marketplace.machines import queries as machines
from marketplace.machines.models import Machine
from marketplace.verification import queries
from protocol.validator import EpochRecord, MachineRecord

#: as long as a subnet's tempo: 360 blocks of 12 s
EPOCH_S = 4320
#: PBKDF2-SHA256 iterations per second of one core that count as efficiency 1.
#: Source: hashlib.pbkdf2_hmac("sha256", ..., 10**6) on one busy virtual core with SHA extensions,
#: measured 4.4 million a second on 2026-11-21; rounded down.
REFERENCE_HASH_RATE_PER_CPU = 4_000_000
#: how many of the newest measurements make the moving average
MEASUREMENTS = 10
#: weight of the newest measurement in the moving average, in millionths
NEWEST_PPM = 300_000
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a machine really delivered for money in a stretch of time."""

    #: GPU-milliseconds, or machine-milliseconds where it has no GPU
    paid_ms: int
    fees_microusd: int


#: (machine id, from, to) -> what it delivered then
DeliveredIn = Callable[[UUID, datetime, datetime], Delivered]


def epoch_at(now: datetime) -> int:
    """Return the number of the epoch that ``now`` lies in."""
    return int(now.timestamp()) // EPOCH_S


def epoch_times(epoch: int) -> tuple[datetime, datetime]:
    """Return when an epoch starts and ends."""
    start = datetime.fromtimestamp(epoch * EPOCH_S, UTC)
    return start, start + timedelta(seconds=EPOCH_S)


def epoch_record(now: datetime, *, delivered: DeliveredIn) -> EpochRecord:
    """Return the public inputs of the present epoch's scores, as far as it has gone."""
    epoch = epoch_at(now)
    start, end = epoch_times(epoch)
    everyone = Machine.objects.order_by("enrolled_at", "id")
    standings = queries.standings(everyone, now, rates_max=MEASUREMENTS)
    uptimes = machines.uptimes_ppm(everyone, now=now)
    return EpochRecord(
        epoch=epoch,
        starts_at_ms=_ms(start),
        ends_at_ms=_ms(end),
        machines=tuple(
            _record(
                machine,
                standings[machine.id],
                uptime_ppm=uptimes[machine.id],
                done=delivered(machine.id, start, now),
                start=start,
                now=now,
            )
            for machine in everyone
            # One that enrolled since is in the next record.
            if machine.id in standings and machine.id in uptimes
        ),
    )


def efficiency_ppm(rates: Sequence[int]) -> int | None:
    """Return the moving average, newest last, over the reference rate; None: never proven."""
    if not rates:
        return None
    average = rates[0]
    for rate in rates[1:]:
        average += (rate - average) * NEWEST_PPM // MILLION
    return average * MILLION // REFERENCE_HASH_RATE_PER_CPU


def _record(
    machine: Machine,
    standing: queries.Standing,
    *,
    uptime_ppm: int,
    done: Delivered,
    start: datetime,
    now: datetime,
) -> MachineRecord:
    first = standing.first_verified_at
    return MachineRecord(
        machine_id=machine.id,
        miner_hotkey=machine.miner_hotkey,
        gpu_model=machine.gpu_model,
        gpus=machine.gpus_total,
        efficiency_ppm=efficiency_ppm(standing.rates_per_cpu),
        uptime_ppm=uptime_ppm,
        verified_for_ms=0 if first is None else _ms(now) - _ms(first),
        has_valid_verdict=standing.is_verified,
        paid_ms=done.paid_ms,
        epoch_ms=max(1, (_ms(now) - _ms(start)) * max(1, machine.gpus_total)),
        fees_microusd=done.fees_microusd,
    )


def _ms(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
