"""This will say, once for every simulation, what must hold after every step."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Q, Sum

from marketplace.domain.door import JITTER_S, LOOK_S, MISSES_MAX, TAIL_S
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.placement import (
    DEADLINES,
    DOOR_LATE,
    ENDED,
    LIVE,
    Event,
    PlacementState,
)
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, EarnedDay, Transfer
from marketplace.machines.actions.attend import AWAY_S
from marketplace.machines.models import Machine as MachineRow
from marketplace.metering.earned_sql import days
from marketplace.metering.models import Meter, SignedIntervalRow
from marketplace.placements.models import Lease, Placement, PlacementEvent
from protocol.agent import Want
from tests.faults.machine import LOOK_MS, Machine
from tests.faults.market import AGAIN_MS, CHARGE_MS, HOLD_MS, PASSES_MS, Market
from tests.faults.renters import Renter
from tests.faults.tables import Writes
from tests.faults.world import InvariantBroken, World, ms_of
from tests.marketplace.room import untrue

#: how long a machine may differ from what is desired while nothing disturbs it
CONVERGES_MS = 2 * (HOLD_MS + LOOK_MS)
#: how long a pass may leave an obligation lying while the marketplace is up
SWEEPS_MS = 2 * PASSES_MS
#: a look's answer may be this much younger than the look
LOOK_TAKES_MS = 300
#: how long a shut door may go unpunished while nothing disturbs its machine or the looks
LOSES_MS = MISSES_MAX * (1000 * (LOOK_S + JITTER_S) + AGAIN_MS)
SETTLES_MS = 3 * CHARGE_MS
#: how long each state lasts before it is late; absences too short to be noticed count
ALLOWED_MS = {
    state: 1000 * (seconds - 2 * AWAY_S)
    for state, seconds in (
        (PlacementState.OFFERED, DEADLINES.offered_s),
        (PlacementState.ACCEPTED, DEADLINES.accepted_s),
        (PlacementState.PREPARING, DEADLINES.preparing_s),
        (PlacementState.RUNNING, DEADLINES.door_s),
        (PlacementState.COLLECTING, DEADLINES.collecting_s),
    )
}
#: the marketplace's own audit reads everything, so it comes every so many changes of the ledger
AUDIT_EVERY = 40


@dataclass(frozen=True, slots=True)
class Held:
    """A placement that is live or still holds something of its machine."""

    id: UUID
    machine_id: UUID
    state: str
    want: str
    deadline_at: datetime | None
    ended_at: datetime | None
    freed_at: datetime | None
    gone_at: datetime | None
    cpus: int
    memory_bytes: int
    disk_bytes: int
    gpu_uuids: Sequence[str]
    #: False: stopped, and only its disk is held
    holds_compute: bool


class Invariants:
    """Remembers what it saw, so that each look reads only what is new."""

    def __init__(
        self, world: World, market: Market, machines: Sequence[Machine], renters: Sequence[Renter]
    ) -> None:
        self._world, self._market = world, market
        self._machines, self._renters = machines, renters
        self._engine_of = {machine.machine_id: machine.engine for machine in machines}
        self.writes = Writes()
        self._held: dict[UUID, Held] = {}
        self._leases: set[tuple[UUID, str, UUID]] = set()
        self._rows: list[MachineRow] = []
        self._unsettled: dict[UUID, datetime] = {}
        self._sums: defaultdict[UUID, list[int]] = defaultdict(lambda: [0, 0])
        #: by host and by none the fees, each of a day
        self._earned: defaultdict[tuple[int | None, date], int] = defaultdict(int)
        self._added_microusd = 0
        self._last_transfer = self._last_interval = self._last_event = 0
        self._ended: set[UUID] = set()
        #: the marketplace's attended time when each placement entered its state
        self._entered_ms: dict[UUID, int] = {}
        self._billed_until: dict[UUID, datetime] = {}
        self._proven_ms: defaultdict[UUID, int] = defaultdict(int)
        self._gpu_billed_until: dict[tuple[UUID, str], tuple[datetime, UUID]] = {}
        self._odd_since: dict[tuple[str, UUID], int] = {}
        self._changes = 0

    def check(self) -> None:
        """Look at everything that the last step may have changed.

        :raises InvariantBroken: with one sentence about what does not hold.
        """
        written = self.writes.taken()
        if "placements_placementevent" in written:
            self._ended_stays_ended()
        if written & {"placements_placement", "machines_machine", "placements_lease"}:
            self._resources_add_up(written)
        if written & {"machines_machine", "offers_offer"}:
            self._require(not (wrong := untrue()), f"{wrong} say otherwise than there is room")
        if written & {"ledger_transfer", "ledger_account", "ledger_hold"}:
            self._ledger_balances()
        if "metering_signedintervalrow" in written:
            self._billed_seconds_are_true()
        if written & {"metering_meter", "placements_placement"}:
            self._read_unsettled()
        self._obligations_move()
        self._machines_converge()

    def check_all(self) -> None:
        """Look at everything, the whole past included.

        :raises InvariantBroken: with one sentence about what does not hold.
        """
        self.check()
        self._require(not (problems := [*audit(), *days()]), f"the audit found: {problems}")
        for meter in Meter.objects.order_by("opened_at", "id"):
            proven = self._proven_ms[meter.placement_id]
            self._require(meter.proven_ms == proven, f"{meter} proves other than its intervals")
            if meter.charged_ms < meter.priced_from_ms:
                # Its newest period is charged next; until then the meter alone can't tell.
                continue
            worth = meter.priced.cost(meter.charged_ms)
            self._require(meter.charged_microusd == worth, f"{meter} charges other than its time")

    def check_settled(self) -> None:
        """Look whether nothing is left over, after the faults and all leases ended.

        :raises InvariantBroken: with one sentence about what is left.
        """
        self.check_all()
        for sentence in self.left_over():
            raise InvariantBroken(sentence)

    def left_over(self) -> Iterator[str]:
        """Yield one sentence about each thing that is left, of what all leases' ends take away."""
        live = Placement.objects.filter(Q(state__in=LIVE) | Q(freed_at=None) | Q(gone_at=None))
        for placement in live.order_by("created_at", "id"):
            yield f"a placement is left over: {placement}"
        for account in Account.objects.filter(kind="hold").order_by("id"):
            if account.balance_microusd != 0:
                yield f"a hold is left over: {account}"
        for machine in self._machines:
            if here := machine.engine.here():
                yield f"{machine.name} keeps {here}"

    def _ended_stays_ended(self) -> None:
        events = PlacementEvent.objects.filter(id__gt=self._last_event).order_by("id")
        for event in events:
            self._last_event = event.id
            self._world.note("moved", event.placement_id, event.event, event.new_state)
            self._world.note(f"ended: {event.reason_code}")
            self._require(
                event.placement_id not in self._ended,
                f"{event.placement_id} ended and moves again by {event.event}",
            )
            if event.new_state in ENDED:
                self._ended.add(event.placement_id)
            self._late_only_by_its_machine(event)

    def _late_only_by_its_machine(self, event: PlacementEvent) -> None:
        """What fails as late had its whole time while the marketplace was there."""
        attended_ms = self._world.now_ms - self._market.away_ms
        entered_ms = self._entered_ms.get(event.placement_id, attended_ms)
        self._entered_ms[event.placement_id] = attended_ms
        failed = event.new_state == PlacementState.FAILED
        if failed and (event.event == Event.LATE or event.reason_code == DOOR_LATE.code):
            waited_ms = attended_ms - entered_ms
            self._require(
                waited_ms >= ALLOWED_MS[event.old_state],
                f"{event.placement_id} is late after {waited_ms} ms of {event.old_state}",
            )

    def _resources_add_up(self, written: frozenset[str]) -> None:
        if "placements_placement" in written:
            kept = Placement.objects.filter(
                Q(state__in=LIVE) | Q(freed_at=None) | Q(gone_at=None)
            ).values_list(*Held.__slots__)
            self._held = {row[0]: Held(*row) for row in kept.order_by("id")}
        if "placements_lease" in written:
            rows = Lease.objects.values_list("machine_id", "gpu_uuid", "placement_id")
            self._leases = set(rows)
        if "machines_machine" in written:
            self._rows = list(MachineRow.objects.raw("SELECT * FROM machines_machine ORDER BY id"))
        holding = [held for held in self._held.values() if held.freed_at is None]
        computing = [held for held in holding if held.holds_compute]
        gpus = {(held.machine_id, gpu, held.id) for held in computing for gpu in held.gpu_uuids}
        self._require(self._leases == gpus, "the leases differ from the GPUs that placements hold")
        owners = {(machine_id, gpu) for machine_id, gpu, _ in gpus}
        self._require(len(owners) == len(gpus), "a GPU has two placements")
        for row in self._rows:
            kept = [held for held in holding if held.machine_id == row.id]
            mine = [held for held in kept if held.holds_compute]
            for free, total, taken in (
                (row.cpus_free, row.cpus_total, sum(h.cpus for h in mine)),
                (row.memory_bytes_free, row.memory_bytes_total, sum(h.memory_bytes for h in mine)),
                (row.disk_bytes_free, row.disk_bytes_total, sum(h.disk_bytes for h in kept)),
                (row.gpus_free, row.gpus_total, sum(len(h.gpu_uuids) for h in mine)),
            ):
                self._require(free + taken == total, f"{row} has {free} free of {total}-{taken}")
                self._require(free >= 0, f"{row} gave away more than it has")

    def _ledger_balances(self) -> None:
        touched, earned = set(), set()
        new = Transfer.objects.filter(id__gt=self._last_transfer).select_related("credit")
        for transfer in new.order_by("id"):
            self._last_transfer = transfer.id
            self._sums[transfer.debit_id][0] += transfer.amount_microusd
            self._sums[transfer.credit_id][1] += transfer.amount_microusd
            touched |= {transfer.debit_id, transfer.credit_id}
            kind = transfer.kind
            if transfer.credit.kind == AccountKind.EARNINGS or kind == TransferKind.FEE:
                self._earned[transfer.credit.user_id, transfer.at.date()] += (
                    transfer.amount_microusd
                )
                earned.add(transfer.at.date())
            if transfer.kind == TransferKind.TEST_CREDIT:
                self._added_microusd += transfer.amount_microusd
            self._world.note("transfer", transfer.kind, transfer.amount_microusd)
        for account in Account.objects.filter(id__in=touched):
            counted = [account.debits_posted, account.credits_posted]
            self._require(counted == self._sums[account.pk], f"{account} counts wrong")
        self._days_add_up(earned)
        top_ups = sum(sum(renter.paid.values()) for renter in self._renters)
        self._require(self._added_microusd == top_ups, "top-ups do not count once each")
        debits = sum(debit for debit, _ in self._sums.values())
        self._require(debits == sum(c for _, c in self._sums.values()), "the sum is not zero")
        self._changes += 1
        if self._changes % AUDIT_EVERY == 0:
            self._require(not (problems := audit()), f"the audit found: {problems}")

    def _days_add_up(self, touched: Collection[date]) -> None:
        """What hosts earned on a day is what the transfers of that day moved."""
        counted = EarnedDay.objects.filter(day__in=touched).order_by("day")
        for day, fee in counted.values_list("day").annotate(Sum("fee_microusd")):
            self._require(fee == self._earned[None, day], f"{day} counts other fees than moved")
        by_host = counted.values_list("host_id", "day").annotate(Sum("earned_microusd"))
        for host_id, day, microusd in by_host:
            self._require(
                microusd == self._earned[host_id, day], f"{day} counts other than {host_id} earned"
            )
        told = {(one.host_id, one.day) for one in counted}
        moved = {key for key in self._earned if key[0] is not None and key[1] in touched}
        self._require(told == moved, f"{moved ^ told} is not counted")

    def _billed_seconds_are_true(self) -> None:
        rows = SignedIntervalRow.objects.filter(id__gt=self._last_interval).order_by("id")
        for row in rows.select_related("placement"):
            self._last_interval = row.id
            if row.billable_from is None or row.billable_to is None:
                continue
            placement = row.placement
            start, end = ms_of(row.billable_from), ms_of(row.billable_to)
            engine = self._engine_of[placement.machine_id]
            self._require(
                engine.ran_throughout(placement.id, start, end),
                f"{placement.id} is billed from {start:.0f} to {end:.0f} ms but ran "
                f"{engine.lived.get(placement.id)}",
            )
            self._shut_doors_earn_nothing(placement, end)
            until = self._billed_until.get(placement.id, row.billable_from)
            self._require(until <= row.billable_from, f"{placement.id} is billed twice")
            self._billed_until[placement.id] = row.billable_to
            self._proven_ms[placement.id] += (row.billable_to - row.billable_from) // timedelta(
                milliseconds=1
            )
            self._gpus_are_billed_once(placement, row)

    def _shut_doors_earn_nothing(self, placement: Placement, end_ms: float) -> None:
        """A second behind a shut door is billed only where no look could tell."""
        shut_ms = self._engine_of[placement.machine_id].shut_since_ms.get(placement.id)
        if shut_ms is None:
            return
        # None of its looks was a miss before it was stopped: the door may have shut after the last.
        unseen_ms = 0 if placement.door_missed_at else 1000 * TAIL_S
        self._require(
            end_ms <= shut_ms + LOOK_TAKES_MS + unseen_ms,
            f"{placement.id} is billed until {end_ms:.0f} behind a shut door since {shut_ms}",
        )

    def _gpus_are_billed_once(self, placement: Placement, row: SignedIntervalRow) -> None:
        assert row.billable_from is not None
        assert row.billable_to is not None
        for gpu in placement.gpu_uuids:
            key = (placement.machine_id, gpu)
            until, owner = self._gpu_billed_until.get(key, (row.billable_from, placement.id))
            self._require(
                owner == placement.id or until <= row.billable_from,
                f"{gpu} is billed to {owner} and to {placement.id} at once",
            )
            self._gpu_billed_until[key] = (max(until, row.billable_to), placement.id)

    def _read_unsettled(self) -> None:
        rows = Meter.objects.filter(closed_at=None, placement__ended_at__isnull=False)
        self._unsettled = dict(rows.values_list("placement_id", "placement__ended_at"))

    def _obligations_move(self) -> None:
        if not self._market.up:
            return
        now_ms = self._world.now_ms
        for held in self._held.values():
            if held.state not in LIVE:
                continue
            if held.deadline_at is None:
                raise InvariantBroken(f"{held.id} is {held.state} without a deadline")
            late_ms = now_ms - max(ms_of(held.deadline_at), self._market.down_ms)
            self._require(late_ms < SWEEPS_MS, f"{held.id} is {held.state} and {late_ms} ms late")
        for placement_id, ended_at in self._unsettled.items():
            late_ms = now_ms - max(ms_of(ended_at), self._market.down_ms)
            self._require(late_ms < SETTLES_MS, f"the hold of {placement_id} is not released")

    def _machines_converge(self) -> None:
        odd: dict[tuple[str, UUID], int] = {}
        for machine in self._machines:
            running = machine.engine.running()
            here = machine.engine.here()
            wanted, awaited, kept = set(), set(), set()
            for held in self._held.values():
                if held.machine_id == machine.machine_id and held.want == Want.STOP:
                    kept.add(held.id)
                if held.machine_id == machine.machine_id and held.want == Want.RUN:
                    wanted.add(held.id)
                    if held.state == PlacementState.RUNNING:
                        awaited.add(held.id)
            if not machine.is_connected():
                machine.disturbed_ms = max(machine.disturbed_ms, self._world.now_ms)
            shut = awaited & machine.engine.shut_since_ms.keys()
            blind_ms = self._market.blind_ms
            for kind, placement_ids, limit_ms, excused_ms in (
                # Of what stopped, files are kept and nothing runs.
                ("unwanted", here - wanted - kept | running & kept, CONVERGES_MS, 0),
                ("missing", awaited - running, CONVERGES_MS, 0),
                ("active behind a shut door", shut, LOSES_MS, blind_ms),
            ):
                for one in placement_ids:
                    since = odd[kind, one] = self._odd_since.get((kind, one), self._world.now_ms)
                    late_ms = self._world.now_ms - max(since, machine.disturbed_ms, excused_ms)
                    self._require(
                        late_ms < limit_ms, f"{one} is {kind} on {machine.name} for {late_ms} ms"
                    )
            self._nothing_freed_runs(machine, running)
        self._odd_since = odd

    def _nothing_freed_runs(self, machine: Machine, running: frozenset[UUID]) -> None:
        # What holds nothing any more is listed only while its machine was not heard from.
        for placement_id in running:
            held = self._held.get(placement_id)
            self._require(
                held is not None and held.freed_at is None and held.holds_compute,
                f"{placement_id} gave its resources back while it runs on {machine.name}",
            )

    def _require(self, holds: bool, sentence: str) -> None:
        if not holds:
            raise InvariantBroken(sentence)
