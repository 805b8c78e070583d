"""This will say what validators concluded, and what they shall look at.

The quorum for now is one: the newest unexpired verdict of any admitted validator decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from marketplace.domain.claims import covers
from marketplace.machines.models import Machine
from marketplace.verification.models import EpochScore, Validator, VerdictRecord
from protocol.hardware import Hardware
from protocol.validator import Measurement, SignedVerdict, Target, VerdictState


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands about one machine."""

    #: the one that decides; None: nobody's word stands
    verdict: VerdictRecord | None
    #: None: never
    first_verified_at: datetime | None
    #: hashes a second of one CPU as admitted validators measured them, newest last. Of one CPU, as
    #: the proof takes only those CPUs that no placement holds.
    rates_per_cpu: tuple[int, ...]


def current_verdict(machine_id: UUID, now: datetime) -> VerdictRecord | None:
    """Return the verdict that decides; None: nobody's word stands."""
    return _standing(VerdictRecord.objects.filter(machine_id=machine_id), now).first()


def is_verified(machine_id: UUID, now: datetime) -> bool:
    """Say whether a validator vouches for the machine now: DEGRADED and SUSPENDED do not."""
    verdict = current_verdict(machine_id, now)
    if verdict is None:
        return False
    return vouches(
        verdict, claimed=Machine.objects.values_list("hardware", flat=True).get(id=machine_id)
    )


def vouches(verdict: VerdictRecord, *, claimed: object) -> bool:
    """Say whether the verdict is VERIFIED, for a machine such as is ``claimed`` now.

    A machine that claims other hardware than was looked at waits for the next look.
    """
    if verdict.state != VerdictState.VERIFIED:
        return False
    found = SignedVerdict.model_validate(verdict.signed).verdict.hardware
    return found is None or covers(found=found, claimed=Hardware.model_validate(claimed))


def verdicts(machine_id: UUID) -> QuerySet[VerdictRecord]:
    """Return all verdicts about a machine, newest first."""
    return (
        VerdictRecord.objects.filter(machine_id=machine_id)
        .select_related("validator")
        .order_by("-checked_at", "-id")
    )


def standings(
    machines: QuerySet[Machine], now: datetime, *, rates_max: int = 0
) -> dict[UUID, Standing]:
    """Return what stands about each of the machines, in two queries however many they are.

    ``rates_max``: how many measured rates to read of each.
    """
    of_it = VerdictRecord.objects.filter(machine=OuterRef("pk"))
    verified = of_it.filter(state=VerdictState.VERIFIED).order_by("checked_at", "id")
    # One look-up in the index for each: a window function would sort the whole past.
    measured = (
        of_it.filter(validator__admitted=True, signed__verdict__measurement__isnull=False)
        .order_by("-checked_at", "-id")
        .values("signed__verdict__measurement")
    )
    rows = machines.order_by("id").values_list(
        "id",
        Subquery(_standing(of_it, now).values("id")[:1]),
        Subquery(verified.values("checked_at")[:1]),
        *(Subquery(measured[number : number + 1]) for number in range(rates_max)),
    )
    found = {machine_id: tuple(rest) for machine_id, *rest in rows}
    verdicts = VerdictRecord.objects.in_bulk([rest[0] for rest in found.values() if rest[0]])
    return {
        machine_id: Standing(
            verdict=verdicts.get(verdict_id),
            first_verified_at=first_verified_at,
            rates_per_cpu=_rates_per_cpu(measurements),
        )
        for machine_id, (verdict_id, first_verified_at, *measurements) in found.items()
    }


def targets(now: datetime) -> tuple[Target, ...]:
    """Return the machines that are there now, those whose verdict ends first at the front."""
    present = Machine.objects.filter(online=True)
    until = {
        machine_id: now if standing.verdict is None else standing.verdict.expires_at
        for machine_id, standing in standings(present, now).items()
    }
    found = [machine for machine in present.order_by("id") if machine.id in until]
    return tuple(
        _target(each) for each in sorted(found, key=lambda each: (until[each.id], each.id))
    )


def validator_keys() -> tuple[str, ...]:
    """Return the SSH public keys that machines let in to be verified."""
    return tuple(
        Validator.objects.filter(admitted=True)
        .exclude(ssh_public_key="")
        .order_by("hotkey")
        .values_list("ssh_public_key", flat=True)
    )


def newest_scores(machines: QuerySet[Machine]) -> dict[UUID, EpochScore]:
    """Return the newest score of each of the machines that was ever scored."""
    newest = EpochScore.objects.filter(machine=OuterRef("pk")).order_by("-epoch", "-id")
    ids = machines.order_by("id").values_list(Subquery(newest.values("id")[:1]), flat=True)
    scores = EpochScore.objects.in_bulk([score_id for score_id in ids if score_id])
    return {score.machine_id: score for score in scores.values()}


def _standing(verdicts: QuerySet[VerdictRecord], now: datetime) -> QuerySet[VerdictRecord]:
    """Return those that somebody vouches for now, the one that decides first."""
    return verdicts.filter(expires_at__gt=now, validator__admitted=True).order_by(
        "-checked_at", "-id"
    )


def _rates_per_cpu(newest_first: Sequence[object]) -> tuple[int, ...]:
    told = [Measurement.model_validate(each) for each in newest_first if each is not None]
    rates = [each.cpu_hash_rate // each.cpus for each in told if each.cpu_hash_rate > 0 < each.cpus]
    return tuple(rates[::-1])


def _target(machine: Machine) -> Target:
    return Target(
        machine_id=machine.id,
        machine_key=machine.machine_key,
        address=machine.address,
        control_port=machine.control_port,
        miner_hotkey=machine.miner_hotkey,
        claimed=Hardware.model_validate(machine.hardware),
        busy=machine.cpus_free < machine.cpus_total or machine.gpus_free < machine.gpus_total,
        cpus_free=max(0, machine.cpus_free),
        memory_bytes_free=max(0, machine.memory_bytes_free),
    )
