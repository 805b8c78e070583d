"""This will decide what an endpoint's replicas need now: an end, more time, or company.

Decided in docs/decisions/0016-endpoints.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

REPLICAS_MAX = 8
#: a replica is paid for this much ahead, and again when less than that is left
TERM_S, EXTEND_BELOW_S = 3600, 1800
#: a replica that ends so soon, and can have no more time, has a successor begun beside it
SUCCEED_BELOW_S = 300
#: nothing is begun where less can be rented: its successor would be due at once
TERM_S_MIN = 600
#: from running until it answers for the first time: a large model takes its time to load
FIRST_ANSWER_S_MAX = 900
#: one that answered and does not any more is replaced after this
SILENT_S_MAX = 120
#: between two beginnings after failures in a row: doubled each time, within these
BACK_OFF_S_MIN, BACK_OFF_S_MAX = 2, 600
#: what has no machine or no money is tried again after this: doubled each time, within these
WAIT_S_MIN, WAIT_S_MAX = 15, 240
#: failures are forgotten once every replica answers for so long
STEADY_S = 60


class EndpointState(StrEnum):
    #: no replica answers yet, or any more
    STARTING = "starting"
    #: some answer
    DEGRADED = "degraded"
    READY = "ready"
    #: none is wanted
    STOPPED = "stopped"


class Reason(StrEnum):
    """Why the marketplace ends a replica; its value is the placement's reason code."""

    SCALED_DOWN = "scaled_down"
    DELETED = "endpoint_deleted"
    UNFUNDED = "replica_unfunded"
    NEVER_ANSWERED = "replica_never_answered"
    SILENT = "replica_silent"
    #: its renter wants none on its machine
    DISMISSED = "replica_dismissed"
    #: its machine stopped it, for a reason of its own
    STOPPED = "replica_stopped"


SENTENCES = {
    Reason.SCALED_DOWN: "Fewer replicas are wanted.",
    Reason.DELETED: "Its endpoint was deleted.",
    Reason.UNFUNDED: "Its paid time is over and no more could be paid or rented.",
    Reason.NEVER_ANSWERED: "It did not answer on its HTTP port in time.",
    Reason.SILENT: "It does not answer on its HTTP port any more.",
    Reason.DISMISSED: "You dismissed it and its machine.",
    Reason.STOPPED: "Its machine could not run it any more.",
}
#: ends that say nothing against the image or the machine
NO_FAILURES = frozenset(
    {Reason.SCALED_DOWN, Reason.DELETED, Reason.UNFUNDED, Reason.DISMISSED, "lease_ended"}
)


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica that runs or will, and was not asked to end."""

    placement_id: UUID
    created_at: datetime
    #: since when it might have been seen; None: it does not run yet
    waits_since: datetime | None
    #: when it answered first; None: it did not yet
    answered_at: datetime | None
    #: since when it was seen not to answer any more; None: it does, or never did
    silent_since: datetime | None
    #: too many looks of the last ones found it shut
    lost: bool
    #: its machine stopped it unasked
    stopped: bool
    #: it is paid up to here
    funded_until: datetime
    #: it could be paid up to here now
    longest_until: datetime

    @property
    def is_ready(self) -> bool:
        """Whether it answers."""
        return self.answered_at is not None and self.silent_since is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now."""

    ends: tuple[tuple[UUID, Reason], ...] = ()
    #: until when to pay each of these
    extensions: tuple[tuple[UUID, datetime], ...] = ()
    #: how many to begin
    missing: int = 0
    #: every wanted one has been answering for a while
    steady: bool = False


def plan(replicas: Sequence[Replica], *, wanted: int, deleted: bool, now: datetime) -> Plan:
    """Return what brings the replicas to how many are wanted. ``deleted``: none is any more."""
    if deleted:
        return Plan(ends=tuple((one.placement_id, Reason.DELETED) for one in replicas))
    ends = [(one.placement_id, why) for one in replicas if (why := _fault(one, now)) is not None]
    ending = {placement_id for placement_id, _ in ends}
    left = [one for one in replicas if one.placement_id not in ending]
    lasting = [one for one in left if not _ends_soon(one, now)]
    surplus = _surplus(lasting, wanted) if wanted else left
    ends += [(one.placement_id, Reason.SCALED_DOWN) for one in surplus]
    staying = [one for one in left if one not in surplus]
    return Plan(
        ends=tuple(ends),
        extensions=tuple(
            (one.placement_id, until)
            for one in staying
            if (until := _extension(one, now)) is not None
        ),
        missing=max(0, wanted - len(lasting)),
        steady=bool(wanted) and not ends and _answering(lasting, now) >= wanted,
    )


def back_off_s(failures: int) -> int:
    """Return how long to wait before the next beginning after so many failures in a row."""
    if failures <= 0:
        return 0
    return int(min(BACK_OFF_S_MAX, BACK_OFF_S_MIN << min(failures - 1, 16)))


def wait_s(waits: int) -> int:
    """Return how long to wait for a machine or for money after so many times in a row."""
    return int(min(WAIT_S_MAX, WAIT_S_MIN << min(max(0, waits - 1), 16)))


def state_of(*, wanted: int, ready: int) -> EndpointState:
    """Return the endpoint's state for how many replicas are wanted and answer."""
    if not wanted:
        return EndpointState.STOPPED
    if not ready:
        return EndpointState.STARTING
    return EndpointState.READY if ready >= wanted else EndpointState.DEGRADED


def _fault(one: Replica, now: datetime) -> Reason | None:
    if one.funded_until <= now:
        return Reason.UNFUNDED
    if one.stopped:
        return Reason.STOPPED
    silent = one.silent_since is not None and _age_s(one.silent_since, now) >= SILENT_S_MAX
    if one.lost or silent:
        return Reason.SILENT
    waits_since = one.waits_since if one.answered_at is None else None
    if waits_since is not None and _age_s(waits_since, now) >= FIRST_ANSWER_S_MAX:
        return Reason.NEVER_ANSWERED
    return None


def _surplus(lasting: Sequence[Replica], wanted: int) -> list[Replica]:
    """Return those beyond what is wanted: who answers stays, and of equals who came first."""
    by_worth = sorted(lasting, key=lambda one: (not one.is_ready, one.created_at, one.placement_id))
    return by_worth[wanted:]


def _ends_soon(one: Replica, now: datetime) -> bool:
    latest = max(one.funded_until, one.longest_until)
    return latest - now < timedelta(seconds=SUCCEED_BELOW_S)


def _extension(one: Replica, now: datetime) -> datetime | None:
    if one.funded_until - now >= timedelta(seconds=EXTEND_BELOW_S):
        return None
    until = min(now + timedelta(seconds=TERM_S), one.longest_until)
    # A few seconds more at every pass would each be a transfer.
    return until if until - one.funded_until >= timedelta(seconds=SUCCEED_BELOW_S) else None


def _answering(lasting: Sequence[Replica], now: datetime) -> int:
    return sum(
        one.is_ready and one.answered_at is not None and _age_s(one.answered_at, now) >= STEADY_S
        for one in lasting
    )


def _age_s(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
