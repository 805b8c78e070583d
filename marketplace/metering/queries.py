"""This will answer what was proven and charged."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F

from marketplace.domain.intervals import Stretch
from marketplace.domain.metered import pieces
from marketplace.domain.money import charge, fee_of
from marketplace.domain.placement import Blame, PlacementState
from marketplace.metering import host_part
from marketplace.metering.models import Meter, PriceChange, SignedIntervalRow
from marketplace.placements.models import Placement
from marketplace.verification.epochs import Delivered, Doings
from protocol.receipts import SignedInterval, digest
from protocol.validator import MachineRecord, Work
from protocol.workload import PlacementKind

#: signed intervals of one page: nearly three hours of a rental, half a megabyte
RECEIPTS_MAX = 1000
#: a refusal is forgiven long before: in 45 hours from the lowest factor to the highest
REFUSALS_COUNT = timedelta(hours=48)
#: of one machine, the newest; more than this lowers nothing further
REFUSALS_MOST = 100


@dataclass(frozen=True, slots=True)
class ReceiptsPage:
    """Some of a placement's chain of signed intervals, in order."""

    intervals: tuple[SignedInterval, ...]
    #: the sequence that the next page begins with; None: there is none
    next_sequence: int | None


def receipts(placement_id: UUID, *, first: int = 0) -> ReceiptsPage:
    """Return the placement's signed intervals from the sequence ``first`` on.

    Each was checked against the one before when it came; nothing else was ever stored.
    """
    rows = SignedIntervalRow.objects.filter(placement_id=placement_id, sequence__gte=first)
    found = list(rows.order_by("sequence").values_list("signed", flat=True)[: RECEIPTS_MAX + 1])
    return ReceiptsPage(
        intervals=tuple(SignedInterval.model_validate(signed) for signed in found[:RECEIPTS_MAX]),
        next_sequence=first + RECEIPTS_MAX if len(found) > RECEIPTS_MAX else None,
    )


def doings(start: datetime, end: datetime) -> Doings:
    """Return what machines delivered in [start, end), and what they refused lately before its end.

    A refusal counts where the marketplace had reserved what was asked for, as it always does
    before it asks, and where neither the renter nor chance was to blame.
    """
    refused = Placement.objects.filter(
        state=PlacementState.REFUSED,
        blame=Blame.MACHINE,
        ended_at__gte=end - REFUSALS_COUNT,
        ended_at__lt=end,
    ).order_by("ended_at", "id")
    refusals: dict[UUID, tuple[datetime, ...]] = {}
    for machine_id, at in refused.values_list("machine_id", "ended_at"):
        if at is not None:
            refusals[machine_id] = (*refusals.get(machine_id, ()), at)[-REFUSALS_MOST:]
    return Doings(delivered=delivered(start, end), refusals=refusals)


def delivered(start: datetime, end: datetime) -> dict[UUID, Delivered]:
    """Return, by machine, the counted time that was charged and ended inside [start, end).

    GPU machines count each GPU's milliseconds, machines without one count the placement's.
    """
    rows = SignedIntervalRow.objects.filter(
        billable_from__isnull=False,
        billable_to__gte=start,
        billable_to__lt=end,
        billable_to__lte=F("placement__meter__charged_until"),
    ).select_related("placement__meter")
    placements: dict[UUID, Placement] = {}
    worked_ms: dict[UUID, int] = defaultdict(int)
    fees: dict[UUID, int] = defaultdict(int)
    changing: dict[UUID, list[Stretch]] = defaultdict(list)
    newest: dict[UUID, SignedIntervalRow] = {}
    # In the order of the index, which is the way to read an epoch and not all the past.
    for row in rows.order_by("billable_to", "id").iterator(chunk_size=1000):
        if row.billable_from is None or row.billable_to is None:
            continue
        stretch = Stretch(row.billable_from, row.billable_to)
        meter, one = row.placement.meter, row.placement_id
        placements[one] = row.placement
        worked_ms[one] += stretch.ms
        if meter.priced_from_ms:
            changing[one].append(stretch)
        else:
            fees[one] += fee_of(charge(meter.price_hour_microusd, stretch.ms), meter.fee_ppm)
        if one not in newest or row.sequence > newest[one].sequence:
            newest[one] = row
    for one, changes in _held_changes(changing).items():
        for stretch in changing[one]:
            worth = sum(charge(price, ms) for price, ms in pieces(stretch, changes))
            fees[one] += fee_of(worth, placements[one].meter.fee_ppm)
    work: dict[UUID, list[Work]] = defaultdict(list)
    for one in sorted(placements):
        placement = placements[one]
        signed = SignedInterval.model_validate(newest[one].signed)
        work[placement.machine_id].append(
            Work(
                placement_id=one,
                kind=PlacementKind(placement.kind),
                gpus=len(placement.gpu_uuids),
                worked_ms=worked_ms[one],
                fees_microusd=fees[one],
                sequence=newest[one].sequence,
                interval_sha256=digest(signed.interval),
            )
        )
    return {machine_id: _sums(done) for machine_id, done in work.items()}


def _held_changes(placement_ids: Collection[UUID]) -> dict[UUID, list[PriceChange]]:
    """Return the price changes that took hold, by placement, in order."""
    found: dict[UUID, list[PriceChange]] = {}
    if placement_ids:
        held = PriceChange.objects.filter(
            meter__placement_id__in=placement_ids, from_ms__isnull=False
        ).select_related("meter")
        for change in held.order_by("at", "id"):
            found.setdefault(change.meter.placement_id, []).append(change)
    return found


def _sums(done: Sequence[Work]) -> Delivered:
    return Delivered(
        paid_ms=sum(each.worked_ms * max(1, each.gpus) for each in done),
        fees_microusd=sum(each.fees_microusd for each in done),
        work=tuple(done),
    )


def signed_heads(machine: MachineRecord) -> tuple[SignedInterval, ...]:
    """Return the signed intervals that a record names of a machine, by placement."""
    named = {work.placement_id: work.sequence for work in machine.work}
    rows = SignedIntervalRow.objects.filter(
        placement_id__in=named, sequence__in=set(named.values())
    ).order_by("placement_id", "sequence")
    return tuple(
        SignedInterval.model_validate(row.signed)
        for row in rows
        if row.sequence == named[row.placement_id]
    )


def earned_by_machine(host_id: int, *, machine_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return what each of these machines earned its host, in micro-USD, as ``host_part`` counts it.

    One that earned nothing is left out.
    """
    meters = Meter.objects.filter(host_id=host_id, placement__machine_id__in=machine_ids)
    rows = meters.values("placement__machine_id").annotate(**host_part.sums())
    return {
        row["placement__machine_id"]: host_part.earned(row)
        for row in rows.order_by("placement__machine_id")
    }
