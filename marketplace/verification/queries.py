"""This will say what validators concluded, and what they shall look at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from marketplace.domain.quorum import ORDER, decide, stands_until_ms
from marketplace.domain.standing import MEANING, StandingState, state_of
from marketplace.kept_sql import kept
from marketplace.machines.models import Gpu, Machine
from marketplace.verification import relied_on, words
from marketplace.verification.models import EpochScore, Validator, VerdictRecord
from marketplace.verification.words import Spoken
from protocol.agent import Problem
from protocol.hardware import Hardware
from protocol.validator import Target, Together, VerdictState

#: a proof together is asked for so long; who was not there then is found again by its marks
TOGETHER_ASKED = timedelta(days=1)
BANNED = Problem(
    code="banned",
    message="Validators banned the machine; their verdicts say what it failed.",
)
#: everybody reads it; what staff wrote is the host's
BANNED_BY_STAFF = Problem(
    code="banned", message="Staff of the site banned the machine and told its host why."
)


@dataclass(frozen=True, slots=True)
class Noted:
    """What is noted of one machine beside the words that stand."""

    state: StandingState = StandingState.NEW
    #: None: it is new
    since: datetime | None = None
    banned_at: datetime | None = None
    #: what staff wrote to its host; empty: no ban of theirs stands
    ban_reason: str = ""
    #: no word before it counts, and a proof since then is wanted
    fresh_since: datetime | None = None
    together: UUID | None = None
    together_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands about one machine: pages, search, scores and the API all say this."""

    #: what the validators' words come to
    state: StandingState
    #: why; of those validators whose word it is
    reasons: tuple[Problem, ...]
    #: those with the most stake first
    words: tuple[Spoken, ...]
    #: when the state ends by itself if nobody speaks again. None: it does not
    expires_at: datetime | None
    noted: Noted
    #: None: never
    first_verified_at: datetime | None
    #: when a proof passed last; None: never
    proven_at: datetime | None
    #: hashes a second of one CPU as admitted validators measured them, newest last. Of one CPU, as
    #: the proof takes only those CPUs that no placement holds.
    rates_per_cpu: tuple[int, ...]

    @property
    def is_verified(self) -> bool:
        """Whether renters may begin rentals there."""
        return MEANING[self.state].listed

    @property
    def spoken(self) -> StandingState:
        """What it is by the validators alone: a ban by staff takes renters, and no points."""
        if not self.noted.ban_reason:
            return self.state
        return state_of(decide([one.word for one in self.words]), banned=False)

    @property
    def checked_at(self) -> datetime | None:
        """When somebody whose word stands looked at it last. None: nobody's word stands."""
        looks_ms = [spoken.verdict.checked_at_ms for spoken in self.words]
        return moment(max(looks_ms)) if looks_ms else None

    @property
    def since(self) -> datetime | None:
        """Since when it stands so, as far as that is noted. None: it just changed, or it is new."""
        return self.noted.since if self.noted.state is self.state else None


def is_verified(machine_id: UUID, now: datetime) -> bool:
    """Say whether validators vouch for the machine now."""
    return standings([machine_id], now)[machine_id].is_verified


_NOTED = (
    "state",
    "since",
    "banned_at",
    "ban_reason",
    "fresh_since",
    "together",
    "together_since",
)


def standings(
    machines: QuerySet[Machine] | Collection[UUID], now: datetime, *, rates_max: int = 0
) -> dict[UUID, Standing]:
    """Return what stands about each of the machines, in one query however many they are.

    ``rates_max``: how many measured rates to read of each.
    """
    return {
        machine_id: _standing(
            words.read(said, claimed), _noted(rest[: len(_NOTED)]), *rest[len(_NOTED) :]
        )
        for machine_id, claimed, said, *rest in _standings(machines, now, rates_max)
    }


@kept(Machine)
def _standings(
    machines: QuerySet[Machine], now: datetime, rates_max: int
) -> QuerySet[Machine, tuple[Any, ...]]:
    of_it = VerdictRecord.objects.filter(machine=OuterRef("pk"), validator__admitted=True)
    measured = of_it.filter(relied_on.verdicts(now), hash_rate_per_cpu__isnull=False)
    proven = measured.order_by("-checked_at", "-id")
    verified = of_it.filter(state=VerdictState.VERIFIED).order_by("checked_at", "id")
    # One look-up in the index for each: a window function would sort the whole past.
    rates = proven.values("hash_rate_per_cpu")
    return machines.order_by("id").values_list(
        "id",
        "hardware",
        words.of_outer_machine(now),
        *(f"standing__{name}" for name in _NOTED),
        Subquery(verified.values("checked_at")[:1]),
        Subquery(proven.filter(state=VerdictState.VERIFIED).values("checked_at")[:1]),
        *(Subquery(rates[number : number + 1]) for number in range(rates_max)),
    )


def targets(
    now: datetime,
    *,
    hotkey: str = "",
    machine_ids: Collection[UUID] = (),
    rented_at: Mapping[UUID, datetime] | None = None,
    gpus_rented: Mapping[UUID, Sequence[str]] | None = None,
) -> tuple[Target, ...]:
    """Return the machines that are there now, those whose verdict ends first at the front.

    ``hotkey``: of the validator that asks. ``machine_ids``: only these; empty: all.
    ``rented_at``: when the newest rental of each began. ``gpus_rented``: uuids of the GPUs of each
    that renters hold.
    """
    present = Machine.objects.filter(online=True)
    if machine_ids:
        present = present.filter(id__in=machine_ids)
    standing_of = standings(present, now)
    found = [machine for machine in present.order_by("id") if machine.id in standing_of]
    found.sort(key=lambda machine: (standing_of[machine.id].expires_at or now, machine.id))
    begun, rented = rented_at or {}, gpus_rented or {}
    proven_at_ms, vouched = _gpus_proven_at_ms(present), _vouched(hotkey, present)
    return tuple(
        _target(
            machine,
            standing_of[machine.id],
            rented_at=begun.get(machine.id),
            gpus_rented=rented.get(machine.id, ()),
            gpus_proven_at_ms=proven_at_ms.get(machine.id, {}),
            vouched=machine.id in vouched,
            now=now,
        )
        for machine in found
    )


def _gpus_proven_at_ms(machines: QuerySet[Machine]) -> dict[UUID, dict[str, int]]:
    found: dict[UUID, dict[str, int]] = {}
    proven = Gpu.objects.filter(machine__in=machines).order_by("id")
    for machine_id, uuid, at in proven.values_list("machine_id", "uuid", "proven_at"):
        if at is not None:
            found.setdefault(machine_id, {})[uuid] = milliseconds(at)
    return found


def _vouched(hotkey: str, machines: QuerySet[Machine]) -> frozenset[UUID]:
    """Return those of which the validator said last that they are as they claim to be now."""
    said = VerdictRecord.objects.filter(
        words.NOT_VOID,
        validator__hotkey=hotkey,
        newest=True,
        state=VerdictState.VERIFIED,
        machine__in=machines,
    ).order_by("machine_id")
    claimed = ("machine__boot_id", "machine__cpu_model", "machine__cpus_total")
    found = tuple(f"signed__verdict__hardware__{name}" for name in ("boot_id", "cpu_model", "cpus"))
    rows = said.values_list("machine_id", *claimed, *found)
    return frozenset(row[0] for row in rows if row[1:4] == row[4:])


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
    spoken: tuple[Spoken, ...],
    noted: Noted,
    first_verified_at: datetime | None,
    proven_at: datetime | None,
    *rates_newest_first: int | None,
) -> Standing:
    said = [one.word for one in spoken]
    word, until_ms = decide(said), stands_until_ms(said)
    state = state_of(word, banned=noted.banned_at is not None)
    rates = [rate for rate in rates_newest_first if rate is not None]
    return Standing(
        state=state,
        reasons=_reasons(spoken, word, state, noted),
        words=spoken,
        expires_at=None if until_ms is None or not MEANING[state].passes else moment(until_ms),
        noted=noted,
        first_verified_at=first_verified_at,
        proven_at=proven_at,
        rates_per_cpu=tuple(rates[::-1]),
    )


def _reasons(
    spoken: Sequence[Spoken], word: VerdictState | None, state: StandingState, noted: Noted
) -> tuple[Problem, ...]:
    """Return each reason once, of those who say what came out, or worse where that is bad."""
    ban = BANNED_BY_STAFF if noted.ban_reason else BANNED
    found = {ban.code: ban} if state is StandingState.BANNED else {}
    for one in spoken:
        worse = word is not None and ORDER.index(one.state) > ORDER.index(word)
        if one.state is word or (worse and word is not VerdictState.VERIFIED):
            found |= {reason.code: reason for reason in one.reasons if reason.code not in found}
    return tuple(found.values())


def _noted(columns: Sequence[object]) -> Noted:
    named = dict(zip(_NOTED, columns, strict=True))
    if named["state"] is None:
        return Noted()
    return Noted(**named | {"state": StandingState(str(named["state"]))})  # type: ignore[arg-type]


def moment(ms: int) -> datetime:
    """Return the moment so many milliseconds after 1970 began."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)


def _target(
    machine: Machine,
    standing: Standing,
    *,
    rented_at: datetime | None,
    gpus_rented: Sequence[str],
    gpus_proven_at_ms: dict[str, int],
    vouched: bool,
    now: datetime,
) -> Target:
    noted = standing.noted
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
        gpus_rented=tuple(gpus_rented),
        gpus_proven_at_ms=gpus_proven_at_ms,
        proven_at_ms=_ms_or_none(standing.proven_at),
        rented_at_ms=_ms_or_none(rented_at),
        fresh_since_ms=_ms_or_none(noted.fresh_since),
        together=_together(noted, now),
        vouched=vouched,
    )


def _together(noted: Noted, now: datetime) -> Together | None:
    if noted.together is None or noted.together_since is None:
        return None
    if now - noted.together_since > TOGETHER_ASKED:
        return None
    return Together(group=noted.together, since_ms=milliseconds(noted.together_since))


def _ms_or_none(at: datetime | None) -> int | None:
    return None if at is None else milliseconds(at)


def milliseconds(at: datetime) -> int:
    """Return the milliseconds since 1970 began."""
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
