"""This will cut time into epochs and assemble the public record of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from marketplace.domain.standing import MEANING, StandingState
from marketplace.machines import queries as machines
from marketplace.machines.models import Machine
from marketplace.verification import evidence, queries
from protocol.validator import CountedWord, EpochRecord, MachineRecord, Work

#: as long as a subnet's tempo: 360 blocks of 12 s
EPOCH_S = 4320


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a machine really delivered for money in a stretch of time."""

    #: GPU-milliseconds, or machine-milliseconds where it has no GPU
    paid_ms: int = 0
    fees_microusd: int = 0
    work: tuple[Work, ...] = ()


@dataclass(frozen=True, slots=True)
class Doings:
    """What is known of a machine's rentals, by the app that meters them."""

    delivered: Mapping[UUID, Delivered] = field(default_factory=dict)
    #: when it refused what it had room for, oldest first
    refusals: Mapping[UUID, tuple[datetime, ...]] = field(default_factory=dict)


NOTHING = Delivered()


def epoch_at(now: datetime) -> int:
    """Return the number of the epoch that ``now`` lies in."""
    return int(now.timestamp()) // EPOCH_S


def epoch_times(epoch: int) -> tuple[datetime, datetime]:
    """Return when an epoch starts and ends."""
    start = datetime.fromtimestamp(epoch * EPOCH_S, UTC)
    return start, start + timedelta(seconds=EPOCH_S)


def epoch_record(epoch: int, *, now: datetime, doings: Doings) -> EpochRecord:
    """Return the public inputs of an epoch's scores, as they are known now.

    What a machine is, and what stands about it, is as of now. An epoch that is over is closed so
    soon that this is no other than it was at its end.
    """
    start, end = epoch_times(epoch)
    everyone = Machine.objects.order_by("id")
    standings = queries.standings(everyone, now)
    evidences = evidence.evidence(everyone, now)
    uptimes = machines.uptimes_ppm(everyone, now=now)
    length_ms = max(1, queries.milliseconds(min(now, end)) - queries.milliseconds(start))
    return EpochRecord(
        epoch=epoch,
        starts_at_ms=queries.milliseconds(start),
        ends_at_ms=queries.milliseconds(end),
        as_of_ms=queries.milliseconds(now),
        machines=tuple(
            _record(
                machine,
                standings[machine.id],
                evidences[machine.id],
                uptime_ppm=uptimes[machine.id],
                done=doings.delivered.get(machine.id, NOTHING),
                refusals=doings.refusals.get(machine.id, ()),
                length_ms=length_ms,
                now=now,
            )
            for machine in everyone
            # One that enrolled since is in the next record.
            if machine.id in standings and machine.id in uptimes and machine.id in evidences
        ),
    )


def _record(
    machine: Machine,
    standing: queries.Standing,
    known: evidence.Evidence,
    *,
    uptime_ppm: int,
    done: Delivered,
    refusals: Sequence[datetime],
    length_ms: int,
    now: datetime,
) -> MachineRecord:
    first, until = standing.first_verified_at, known.verified_until
    return MachineRecord(
        machine_id=machine.id,
        machine_key=machine.machine_key,
        miner_hotkey=machine.miner_hotkey,
        gpu_model=machine.gpu_model,
        gpus=machine.gpus_total,
        looks=known.looks,
        gpu_proofs=known.gpu_proofs,
        together=known.together,
        uptime_ppm=uptime_ppm,
        verified_for_ms=0
        if first is None
        else max(0, queries.milliseconds(now) - queries.milliseconds(first)),
        has_valid_verdict=MEANING[standing.spoken].earns,
        verified_until_ms=0 if until is None else queries.milliseconds(until),
        is_unknown=_is_unknown(standing, known),
        is_banned=standing.spoken is StandingState.BANNED,
        words=tuple(
            CountedWord(verdict_sha256=one.sha256, stake=one.stake, state=one.state)
            for one in standing.words
        ),
        first_verdict_sha256=known.first_sha256,
        refused_at_ms=tuple(queries.milliseconds(one) for one in refusals),
        paid_ms=done.paid_ms,
        epoch_ms=length_ms * max(1, machine.gpus_total),
        fees_microusd=done.fees_microusd,
        work=done.work,
    )


def _is_unknown(standing: queries.Standing, known: evidence.Evidence) -> bool:
    # What was made void needs a new proof, and is no silence.
    is_silent = standing.spoken is StandingState.NEW and not standing.words
    return is_silent and known.has_lapsed and standing.noted.fresh_since is None
