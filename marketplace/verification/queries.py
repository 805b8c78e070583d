"""This will say what validators concluded, and what they shall look at.

The quorum for now is one: the newest unexpired verdict of any admitted validator decides.
"""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from marketplace.domain.claims import covers
from marketplace.machines.models import Machine
from marketplace.verification.models import EpochScore, Validator, VerdictRecord
from protocol.hardware import Hardware
from protocol.validator import SignedVerdict, Target, VerdictState


def current_verdict(machine_id: UUID, now: datetime) -> VerdictRecord | None:
    """Return the verdict that decides; None: nobody's word stands."""
    return (
        VerdictRecord.objects.filter(
            machine_id=machine_id, expires_at__gt=now, validator__admitted=True
        )
        .order_by("-checked_at", "-id")
        .first()
    )


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


def first_verified_at(machine_id: UUID) -> datetime | None:
    """Return when the machine was verified for the first time; None: never."""
    return (
        VerdictRecord.objects.filter(machine_id=machine_id, state=VerdictState.VERIFIED)
        .order_by("checked_at", "id")
        .values_list("checked_at", flat=True)
        .first()
    )


def hash_rates_per_cpu(machine_id: UUID, *, newest: int) -> list[int]:
    """Return the newest hash rates that admitted validators measured, oldest of them first.

    Per CPU, as the proof takes only those CPUs that no placement holds.
    """
    rates: list[int] = []
    told = VerdictRecord.objects.filter(
        machine_id=machine_id, validator__admitted=True, signed__verdict__measurement__isnull=False
    ).order_by("-checked_at", "-id")
    for verdict in told[:newest]:
        measurement = SignedVerdict.model_validate(verdict.signed).verdict.measurement
        if measurement is not None and measurement.cpu_hash_rate > 0 < measurement.cpus:
            rates.append(measurement.cpu_hash_rate // measurement.cpus)
    return rates[::-1]


def targets(now: datetime) -> tuple[Target, ...]:
    """Return the machines that are there now, those whose verdict ends first at the front."""
    found = [(_until(machine.id, now), machine) for machine in _present()]
    found.sort(key=lambda pair: (pair[0] or now, pair[1].id))
    return tuple(_target(machine) for _, machine in found)


def validator_keys() -> tuple[str, ...]:
    """Return the SSH public keys that machines let in to be verified."""
    return tuple(
        Validator.objects.filter(admitted=True)
        .exclude(ssh_public_key="")
        .order_by("hotkey")
        .values_list("ssh_public_key", flat=True)
    )


def newest_score(machine_id: UUID) -> EpochScore | None:
    """Return the machine's newest score; None: it was never scored."""
    return EpochScore.objects.filter(machine_id=machine_id).order_by("-epoch", "-id").first()


def _present() -> QuerySet[Machine]:
    return Machine.objects.filter(online=True).order_by("id")


def _until(machine_id: UUID, now: datetime) -> datetime | None:
    verdict = current_verdict(machine_id, now)
    return None if verdict is None else verdict.expires_at


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
