"""This will say what of rentals' time is not billed, and why, of many rentals at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Max, Q, Window
from django.db.models.functions import Lag

from marketplace.domain.bill import Evidence, Reason, Split, Turn, split
from marketplace.domain.intervals import Stretch
from marketplace.domain.placement import PlacementState
from marketplace.metering.models import SignedIntervalRow
from marketplace.placements.actions.unseen import SEEN
from marketplace.placements.models import DoorShut, Placement, PlacementEvent
from marketplace.rentals.funds import BALANCE_OUT, LIMIT_OUT
from marketplace.rentals.models import Rental
from protocol.agent import PAID_OUT

#: an agent sends what it signed every ten seconds
SILENT = timedelta(seconds=60)
#: signed intervals that are read for one page of a statement: nearly six days of one rental
INTERVALS_MAX = 50_000
#: the codes of the stops for which money was missing
UNPAID = frozenset({BALANCE_OUT, LIMIT_OUT, PAID_OUT})
#: of a statement's line: what the renter did not ask for
TOLD = (
    *(Reason.PREPARING, Reason.DOOR_UNSEEN, Reason.DOOR_SHUT),
    *(Reason.MACHINE_SILENT, Reason.UNPROVEN),
)


def splits(rentals: Sequence[Rental], *, now: datetime) -> Mapping[UUID, Split]:
    """Return how the time of each rental splits, by its id; six queries, however many."""
    ids = [rental.placement_id for rental in rentals]
    billed, shut, silent = _billed(rentals), _shuts(ids), _silences(ids)
    turns = _turns(ids)
    found = {}
    for rental in rentals:
        placement, meter, own = rental.placement, rental.meter, billed.get(rental.placement_id, [])
        ends = [placement.ended_at or max(now, rental.started_at)]
        whole = Stretch(rental.started_at, max(ends + [one.end for one in own[-1:]]))
        rows, (holes, last) = shut.get(placement.id, []), silent.get(placement.id, ([], None))
        known = Evidence(
            turns=_in_order(turns.get(placement.id, []), placement, own),
            shut=tuple(_shut(row, placement, whole.end) for row in rows),
            silent=_silent(holes, last or placement.running_at, whole),
            lease_end=placement.funded_until,
            pending_from=(meter.charged_until or whole.start) if meter.closed_at is None else None,
        )
        found[rental.id] = split(whole, own, billed_ms=meter.charged_ms, known=known)
    return found


def by_account(held: Collection[UUID], *, now: datetime) -> Mapping[UUID, Mapping[Reason, int]]:
    """Return the milliseconds not billed, by reason, of the rentals with these holds' accounts.

    The newest rentals come first, as long as there is not too much to be read; of others only
    how long their doors were shut is told, and their bills say the rest.
    """
    rows = Rental.objects.filter(meter__hold__account_id__in=held)
    rentals = list(rows.select_related("placement", "meter__hold").order_by("-started_at", "id"))
    some, left = [], INTERVALS_MAX
    for rental in rentals:
        left -= rental.placement.next_sequence
        if left < 0:
            break
        some.append(rental)
    found = splits(some, now=now) if some else {}
    shut = _shuts([rental.placement_id for rental in rentals[len(some) :]])
    told = {}
    for rental in rentals:
        if rental.id in found:
            ms = found[rental.id].by_reason()
        else:
            rows_ = shut.get(rental.placement_id, [])
            ms = {Reason.DOOR_SHUT: sum(_shut(row, rental.placement, now).ms for row in rows_)}
        told[rental.meter.hold.account_id] = {one: ms[one] for one in TOLD if ms.get(one)}
    return told


def _billed(rentals: Sequence[Rental]) -> Mapping[UUID, list[Stretch]]:
    """Return what was charged as stretches that nothing interrupts, by placement."""
    which = Q(pk__in=())
    for rental in rentals:
        if rental.meter.charged_until is not None:
            until = rental.meter.charged_until
            which |= Q(placement_id=rental.placement_id, billable_to__lte=until)
    charged = SignedIntervalRow.objects.filter(which, billable_from__isnull=False)
    before = Window(Lag("billable_to"), partition_by="placement_id", order_by="sequence")
    begins = charged.annotate(before=before).filter(
        Q(before__isnull=True) | ~Q(billable_from=F("before"))
    )
    found: dict[UUID, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for placement_id, start, end in begins.order_by("placement_id", "sequence").values_list(
        "placement_id", "billable_from", "before"
    ):
        if start is not None:
            found[placement_id].append((start, end))
    lasts = dict(
        charged.order_by()
        .values("placement_id")
        .annotate(last=Max("billable_to"))
        .values_list("placement_id", "last")
    )
    return {
        placement_id: [
            Stretch(start, end)
            for (start, _), end in zip(
                rows, [before for _, before in rows[1:]] + [lasts[placement_id]], strict=True
            )
            if end is not None
        ]
        for placement_id, rows in found.items()
    }


def _shuts(ids: Collection[UUID]) -> Mapping[UUID, list[DoorShut]]:
    found: dict[UUID, list[DoorShut]] = defaultdict(list)
    if ids:
        for row in DoorShut.objects.filter(placement_id__in=ids).order_by("since", "id"):
            found[row.placement_id].append(row)
    return found


def _shut(row: DoorShut, placement: Placement, now: datetime) -> Stretch:
    """Return when it was shut and should have been open."""
    ends = (row.until, placement.ended_at, placement.stop_requested_at, now)
    return Stretch(row.since, max(row.since, min(end for end in ends if end is not None)))


def _turns(ids: Collection[UUID]) -> Mapping[UUID, list[Turn]]:
    found: dict[UUID, list[Turn]] = defaultdict(list)
    events = PlacementEvent.objects.filter(placement_id__in=ids).order_by("at", "id")
    columns = ("placement_id", "at", "event", "new_state", "reason_code")
    for placement_id, at, event, state, code in events.values_list(*columns):
        turns = found[placement_id]
        is_unpaid = code in UNPAID
        if state == PlacementState.STOPPED and turns:
            # Only the request to stop says why; the machine's word that it did says nothing.
            is_unpaid = turns[-1].is_unpaid
        seen = event == SEEN
        turns.append(Turn(at, PlacementState(state), is_seen=seen, is_unpaid=is_unpaid))
    return found


def _in_order(
    turns: Sequence[Turn], placement: Placement, billed: Sequence[Stretch]
) -> tuple[Turn, ...]:
    # Of a run that answered within its first second the version before wrote no event.
    seen = [stretch.start for stretch in billed]
    seen += [placement.reachable_at] if placement.reachable_at is not None else []
    both = [*turns, *(Turn(at, PlacementState.RUNNING, is_seen=True) for at in seen)]
    return tuple(sorted(both, key=lambda turn: turn.at))


def _silences(
    ids: Collection[UUID],
) -> Mapping[UUID, tuple[list[Stretch], datetime | None]]:
    """Return when nothing signed came, a minute at least, and when the last of it came."""
    rows = SignedIntervalRow.objects.filter(placement_id__in=ids)
    before = Window(Lag("received_at"), partition_by="placement_id", order_by="sequence")
    holes = rows.annotate(before=before).filter(received_at__gt=F("before") + SILENT)
    found: dict[UUID, list[Stretch]] = defaultdict(list)
    for placement_id, since, at in holes.order_by("placement_id", "sequence").values_list(
        "placement_id", "before", "received_at"
    ):
        found[placement_id].append(Stretch(since, at))
    lasts = rows.order_by().values("placement_id").annotate(last=Max("received_at"))
    return {
        placement_id: (found.get(placement_id, []), last)
        for placement_id, last in lasts.values_list("placement_id", "last")
    }


def _silent(
    holes: Sequence[Stretch], since: datetime | None, whole: Stretch
) -> tuple[Stretch, ...]:
    if since is None or since + SILENT >= whole.end:
        return tuple(holes)
    return (*holes, Stretch(since, whole.end))
