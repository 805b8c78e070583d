"""This will gather what anyone may know of one machine: measured, looked at, there, scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import QuerySet

from marketplace.domain.delivered import Figures
from marketplace.domain.money import PPM
from marketplace.machines import queries as machine_queries
from marketplace.machines.models import Machine, UptimeDay
from marketplace.offers.found import Found
from marketplace.offers.models import Offer
from marketplace.offers.queries import OfferRow, row_of
from marketplace.offers.search import seen_by
from marketplace.verification import queries as verification
from marketplace.verification.figures import figures
from marketplace.verification.history import MachineNotThere
from marketplace.verification.models import EpochScore, VerdictRecord
from protocol.validator import LookKind, SignedVerdict, VerdictState

DAYS = machine_queries.UPTIME_DAYS
#: of thirty days, the newest: about what a few validators do
LOOKS_MOST = 300
#: six days of 72 minutes each
EPOCHS_MOST = 120
#: of which measured looks the newest speeds of disk and line are taken
MEASURED_MOST = 5
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class DayThere:
    """How much of one day (UTC) a machine was there."""

    day: date
    #: of what of the day counts, in millionths. None: nothing does, as it came later
    up_ppm: int | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look of one validator came to."""

    at: datetime
    state: VerdictState
    look: LookKind
    validator: str


@dataclass(frozen=True, slots=True)
class Scored:
    epoch: int
    points_micro: int


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What anyone may know of a machine."""

    machine: Machine
    standing: verification.Standing
    figures: Figures
    #: what a validator said last; None: nobody looked yet
    newest: SignedVerdict | None
    #: the newest looks that measured something, newest first
    measured: tuple[SignedVerdict, ...]
    #: the share of the last days that it was there, in millionths
    uptime_ppm: int
    #: oldest first, today last
    days: tuple[DayThere, ...]
    #: of those days, oldest first
    looks: tuple[Looked, ...]
    #: the newest of any validator; None: nobody scored it yet
    score: EpochScore | None
    #: of the validator whose that is, oldest epoch first
    scores: tuple[Scored, ...]
    #: as a renter sees it; None: it is not for rent to whoever asks
    offer: OfferRow | None


def of_machine(machine_id: UUID, *, now: datetime, viewer_id: int | None = None) -> MachineFacts:
    """Return the facts; ``viewer_id`` is who looks, and so may see a private offer.

    :raises MachineNotThere: when there is no such machine.
    """
    one = Machine.objects.filter(id=machine_id)
    machine = one.first()
    standing = verification.standings([machine_id], now).get(machine_id)
    if machine is None or standing is None:
        raise MachineNotThere
    since = datetime.combine((now - timedelta(days=DAYS - 1)).date(), time(), UTC)
    score = verification.newest_scores(one).get(machine_id)
    kept = VerdictRecord.objects.filter(machine_id=machine_id, validator__admitted=True).order_by(
        "-checked_at", "-id"
    )
    return MachineFacts(
        machine=machine,
        standing=standing,
        figures=figures(machine_id, now=now),
        newest=next(iter(_signed(kept[:1])), None),
        measured=_signed(kept.filter(measured__isnull=False)[:MEASURED_MOST]),
        uptime_ppm=machine_queries.uptime_ppm(machine_id, now=now),
        days=_days(machine, since=since, now=now),
        looks=_looks(machine_id, since=since),
        score=score,
        scores=() if score is None else _scores(score),
        offer=_offer(machine_id, now=now, viewer_id=viewer_id),
    )


def _days(machine: Machine, *, since: datetime, now: datetime) -> tuple[DayThere, ...]:
    rows = UptimeDay.objects.filter(machine=machine, day__gte=since.date()).order_by("day")
    up_ms = dict(rows.values_list("day", "up_ms"))
    if machine.online:
        # What was heard since the last step is not written down yet.
        unwritten = max(timedelta(0), machine.last_seen_at - machine.uptime_counted_at)
        today = now.date()
        up_ms[today] = up_ms.get(today, 0) + unwritten // _MS
    begins = [since + timedelta(days=number) for number in range(DAYS)]
    return tuple(_day(machine, midnight, up_ms.get(midnight.date(), 0), now) for midnight in begins)


def _day(machine: Machine, midnight: datetime, up_ms: int, now: datetime) -> DayThere:
    start, end = max(midnight, machine.enrolled_at), min(midnight + timedelta(days=1), now)
    counts_ms = (end - start) // _MS
    if counts_ms <= 0:
        return DayThere(midnight.date(), None)
    return DayThere(midnight.date(), min(PPM, up_ms * PPM // counts_ms))


def _looks(machine_id: UUID, *, since: datetime) -> tuple[Looked, ...]:
    rows: Sequence[tuple[datetime, str, str, str]] = list(
        VerdictRecord.objects.filter(
            machine_id=machine_id, validator__admitted=True, checked_at__gte=since
        )
        .order_by("-checked_at", "-id")
        .values_list("checked_at", "state", "look", "validator__name")[:LOOKS_MOST]
    )
    return tuple(
        Looked(at, VerdictState(state), LookKind(look), validator)
        for at, state, look, validator in reversed(rows)
    )


def _signed(rows: QuerySet[VerdictRecord]) -> tuple[SignedVerdict, ...]:
    return tuple(SignedVerdict.model_validate(row.signed) for row in rows)


def _scores(newest: EpochScore) -> tuple[Scored, ...]:
    rows = EpochScore.objects.filter(
        validator_id=newest.validator_id, machine_id=newest.machine_id
    ).order_by("-epoch")
    found = list(rows.values_list("epoch", "points_micro")[:EPOCHS_MOST])
    return tuple(Scored(epoch, points) for epoch, points in reversed(found))


def _offer(machine_id: UUID, *, now: datetime, viewer_id: int | None) -> OfferRow | None:
    listed = Offer.objects.select_related("machine").filter(machine_id=machine_id, listed=True)
    offer = listed.filter(seen_by(viewer_id)).first()
    return None if offer is None else row_of(Found.of(offer), now=now)
