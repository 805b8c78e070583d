"""This will say what validators concluded, and what they shall look at.

The quorum for now is one: the newest unexpired verdict of any admitted validator decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from marketplace.domain.claims import covers
from marketplace.machines.models import Machine
from marketplace.verification.models import EpochScore, Validator, VerdictRecord
from protocol.agent import Problem
from protocol.hardware import Hardware
from protocol.validator import SignedVerdict, Target, Verdict, VerdictState

#: why a good verdict does not count for what the machine claims now
CLAIM_CHANGED = Problem(
    code="claim_changed",
    message="The machine claims other hardware than was looked at; it is looked at again soon.",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands about one machine: pages, search, scores and the API all say this."""

    #: the one that decides; None: nobody's word stands
    verdict: Verdict | None
    #: what it comes to for what the machine claims now; None: nobody's word stands
    state: VerdictState | None
    reasons: tuple[Problem, ...]
    #: None: never
    first_verified_at: datetime | None
    #: when a proof passed last; None: never
    proven_at: datetime | None
    #: hashes a second of one CPU as admitted validators measured them, newest last. Of one CPU, as
    #: the proof takes only those CPUs that no placement holds.
    rates_per_cpu: tuple[int, ...]

    @property
    def is_verified(self) -> bool:
        """Whether a validator vouches for the machine: DEGRADED and SUSPENDED do not."""
        return self.state is VerdictState.VERIFIED

    @property
    def checked_at(self) -> datetime | None:
        """When somebody looked at it. None: nobody's word stands."""
        return None if self.verdict is None else _moment(self.verdict.checked_at_ms)

    @property
    def expires_at(self) -> datetime | None:
        """When the verdict ends. None: nobody's word stands."""
        return None if self.verdict is None else _moment(self.verdict.expires_at_ms)


def is_verified(machine_id: UUID, now: datetime) -> bool:
    """Say whether a validator vouches for the machine now."""
    return standings(Machine.objects.filter(id=machine_id), now)[machine_id].is_verified


def standings(
    machines: QuerySet[Machine], now: datetime, *, rates_max: int = 0
) -> dict[UUID, Standing]:
    """Return what stands about each of the machines, in one query however many they are.

    ``rates_max``: how many measured rates to read of each.
    """
    of_it = VerdictRecord.objects.filter(machine=OuterRef("pk"), validator__admitted=True)
    newest = of_it.order_by("-checked_at", "-id")
    proven = newest.filter(hash_rate_per_cpu__isnull=False)
    verified = of_it.filter(state=VerdictState.VERIFIED).order_by("checked_at", "id")
    # One look-up in the index for each: a window function would sort the whole past.
    rates = proven.values("hash_rate_per_cpu")
    rows = machines.order_by("id").values_list(
        "id",
        "hardware",
        Subquery(newest.filter(expires_at__gt=now).values("signed")[:1]),
        Subquery(verified.values("checked_at")[:1]),
        Subquery(proven.filter(state=VerdictState.VERIFIED).values("checked_at")[:1]),
        *(Subquery(rates[number : number + 1]) for number in range(rates_max)),
    )
    return {
        machine_id: _standing(claimed, signed, first_verified_at, proven_at, rates_per_cpu)
        for machine_id, claimed, signed, first_verified_at, proven_at, *rates_per_cpu in rows
    }


def targets(now: datetime, *, machine_id: UUID | None = None) -> tuple[Target, ...]:
    """Return the machines that are there now, those whose verdict ends first at the front.

    ``machine_id``: only this one.
    """
    present = Machine.objects.filter(online=True)
    if machine_id is not None:
        present = present.filter(id=machine_id)
    standing_of = standings(present, now)
    found = [machine for machine in present.order_by("id") if machine.id in standing_of]
    found.sort(key=lambda machine: (standing_of[machine.id].expires_at or now, machine.id))
    return tuple(_target(machine, standing_of[machine.id]) for machine in found)


def validator_keys() -> tuple[str, ...]:
    """Return the SSH public keys that machines let in to be verified."""
    return tuple(
        Validator.objects.filter(admitted=True)
        .exclude(ssh_public_key="")
        .order_by("hotkey")
        .values_list("ssh_public_key", flat=True)
    )


def newest_scores(machines: QuerySet[Machine]) -> dict[UUID, EpochScore]:
    """Return the newest score of each of the machines that an admitted validator ever scored."""
    newest = EpochScore.objects.filter(machine=OuterRef("pk"), validator__admitted=True).order_by(
        "-epoch", "-id"
    )
    ids = machines.order_by("id").values_list(Subquery(newest.values("id")[:1]), flat=True)
    scores = EpochScore.objects.in_bulk([score_id for score_id in ids if score_id])
    return {score.machine_id: score for score in scores.values()}


def _standing(
    claimed: object,
    signed: object,
    first_verified_at: datetime | None,
    proven_at: datetime | None,
    rates_newest_first: Sequence[int | None],
) -> Standing:
    verdict = None if signed is None else SignedVerdict.model_validate(signed).verdict
    state, reasons = (None, ()) if verdict is None else (verdict.state, verdict.reasons)
    found = None if verdict is None else verdict.hardware
    # A machine that claims other hardware than was looked at waits for the next look.
    if state is VerdictState.VERIFIED and found is not None and not _covers(found, claimed):
        state, reasons = VerdictState.DEGRADED, (CLAIM_CHANGED,)
    rates = [rate for rate in rates_newest_first if rate is not None]
    return Standing(
        verdict=verdict,
        state=state,
        reasons=reasons,
        first_verified_at=first_verified_at,
        proven_at=proven_at,
        rates_per_cpu=tuple(rates[::-1]),
    )


def _covers(found: Hardware, claimed: object) -> bool:
    return covers(found=found, claimed=Hardware.model_validate(claimed))


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)


def _target(machine: Machine, standing: Standing) -> Target:
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
        proven_at_ms=None if standing.proven_at is None else _ms(standing.proven_at),
    )


def _ms(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
