"""This will run the real marketplace's actions on virtual time: its syncs, passes and silence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import bittensor_core

from marketplace import reports
from marketplace.accounts.models import User
from marketplace.domain.placement import ENDED
from marketplace.domain.problem import Refused
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.actions.heartbeat import SyncReplayed
from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.actions.mark_offline import mark_offline
from marketplace.machines.queries import newest_revisions
from marketplace.metering.actions import charge
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.actions.refresh import refresh_all
from marketplace.offers.actions.set_terms import set_terms
from marketplace.placements.actions import sweep
from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door
from marketplace.rentals.actions.expire import expire
from marketplace.verification.actions.admit_validator import admit
from marketplace.verification.actions.record_verdict import record
from protocol import hotkey
from protocol.agent import SyncReply
from protocol.message import canonical_bytes
from protocol.validator import SignedVerdict, Verdict, VerdictState
from tests.faults.world import BEGIN_MS, HOUR_MS, InvariantBroken, World
from tests.marketplace.reporting import take_in

if TYPE_CHECKING:
    from tests.faults.machine import Machine

#: a sync is held open this long: longer than the real 25 s, so that a day is simulated faster
HOLD_MS = 54_000
REACH_MS, AGAIN_MS, PASSES_MS, CHARGE_MS, OFFERS_MS = 30_000, 20_000, 60_000, 120_000, 1_200_000
#: short enough for the sweep to tell an absence of its own from its period
SWEEP_MS = 15_000
VERDICT_MS = 11 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Refusal:
    """The marketplace's no."""

    code: str


Answer = Callable[[SyncReply | Refusal], None]


@dataclass(slots=True)
class Held:
    """A sync that waits for something newer than ``revision``."""

    machine_id: UUID
    call: int
    revision: int
    until_ms: int
    answer: Answer


@dataclass(slots=True)
class Market:
    """The marketplace as one process that can be silent for a while."""

    world: World
    machines: list["Machine"] = field(default_factory=list)
    up: bool = True
    #: when it was last silent
    down_ms: int = 0
    #: how long it was silent altogether
    away_ms: int = 0
    silent: bool = False
    disturbed_ms: int = 0
    #: something may be desired that was not before
    bumped: bool = True
    #: when looks last told it nothing, as no door answered
    blind_ms: int = 0
    #: how many doors answered, look by look of one pass
    _looks: list[int] = field(default_factory=list)
    _held: list[Held] = field(default_factory=list)
    _validator: bittensor_core.Keypair = field(
        default_factory=lambda: bittensor_core.Keypair.create_from_uri("//Validator")
    )

    def open(self, machines: Sequence["Machine"], *, hosts: Sequence[User]) -> None:
        """Enrol and list the machines and begin the periodic passes."""
        world = self.world
        admit(hotkey=self._validator.ss58_address, name="Validator", now=world.now)
        for machine, host in zip(machines, hosts, strict=True):
            token = issue_token(
                host_id=host.pk, now=world.now, new_secret=lambda: world.random_bytes(16).hex()
            ).token
            enrolled = enrol(request=machine.enrolment(token), now=world.now)
            machine.machine_id = enrolled.id
            self.machines.append(machine)
            offer = list_offer(machine_id=enrolled.id, now=world.now)
            price = offer.price_gpu_hour_microusd
            set_terms(
                host_id=host.pk,
                machine_id=enrolled.id,
                now=world.now,
                price_gpu_hour_microusd=price,
                listed=True,
            )
        self._every(VERDICT_MS, "verify", self._verify)
        self._every(REACH_MS, "reach", lambda: prove_reachable(now=world.now, probe=self))
        self._every(AGAIN_MS, "look", self._look_again)
        self._every(PASSES_MS, "passes", self._passes)
        self._every(SWEEP_MS, "sweep", lambda: sweep.sweep(now=world.now))
        self._every(CHARGE_MS, "charge", lambda: charge.charge_all(now=world.now))
        self._every(OFFERS_MS, "offers", lambda: refresh_all(now=world.now))

    def receive(self, headers: Mapping[str, str], body: bytes, call: int, answer: Answer) -> None:
        """Take a sync in and answer it at once or when there is something new.

        ``call`` counts a machine's calls: a newer one means that it has hung up on the older.
        """
        if not self.up:
            return
        try:
            taken = take_in(headers=headers, body=body, now=self.world.now)
        except SyncReplayed:
            # Whoever brings it a second time is not the machine, and gets the answer instead of it.
            return
        except Refused as refused:
            answer(Refusal(refused.code))
            return
        machine_id, request = taken.machine_id, taken.request
        until_ms = self.world.now_ms + (HOLD_MS if request.hold_s else 0)
        self._held = [one for one in self._held if one.machine_id != machine_id or one.call >= call]
        self._held.append(Held(machine_id, call, request.revision, until_ms, answer))
        self.world.after(HOLD_MS, "hold ends", self.wake)
        self.bumped = True
        self.wake()

    def wake(self) -> None:
        """Answer the held calls that have something new or were held long enough."""
        now_ms = self.world.now_ms
        if not self.up or not (self.bumped or any(one.until_ms <= now_ms for one in self._held)):
            return
        self.bumped = False
        newest = newest_revisions([held.machine_id for held in self._held])
        waiting, self._held = self._held, []
        for held in waiting:
            if held.until_ms <= now_ms or newest[held.machine_id] > held.revision:
                told = reports.answer(machine_ids=[held.machine_id], now=self.world.now)
                reply = told[held.machine_id]
                assert isinstance(reply, SyncReply)
                held.answer(reply)
            else:
                self._held.append(held)

    def fall_silent(self, *, down_ms: float) -> None:
        """End the process with every call it holds; another one begins later."""
        if not self.up:
            return
        self.up, self._held = False, []
        fell_ms = self.world.now_ms
        self.world.after(down_ms, "marketplace returns", lambda: self._return(fell_ms))

    def call(self, act: Callable[[], object]) -> None:
        """Let a person's request reach the marketplace; a refusal is an answer, not a fault."""
        if not self.up:
            return
        try:
            act()
        except Refused as refused:
            self.world.note(f"refused: {refused.code}")
        self.wake()

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        """Look at the doors as the outside probe does, by the truth of the machines."""
        seen = {}
        for door in doors:
            machine = next(m for m in self.machines if door.host == f"{m.name}.example")
            open_now = machine.engine.door_is_open(door.placement_id, door.port, door.host_key)
            if open_now and not machine.silent:
                seen[door.placement_id] = timedelta(milliseconds=self.world.chance.randint(5, 300))
        self._looks.append(len(seen))
        return seen

    def may_start(self, placement_id: UUID) -> None:
        """Refuse a start of what was confirmed to be gone or was given to somebody else.

        :raises InvariantBroken: when the placement's end was settled between both sides.
        """
        over = Placement.objects.filter(id=placement_id, state__in=ENDED)
        if over.exclude(gone_at=None, freed_at=None).exists():
            raise InvariantBroken(f"{placement_id} starts again after it was gone")

    def _look_again(self) -> None:
        self._looks = []
        look_again(now=self.world.now, probe=self, chance=self.world.chance)
        if len(self._looks) > 1 and not self._looks[-1]:
            # Not even the doors that it asked in doubt: it notes nothing.
            self.blind_ms = self.world.now_ms

    def _passes(self) -> None:
        now = self.world.now
        expire(now=now)
        mark_offline(now=now)

    def _verify(self) -> None:
        checked_at_ms = BEGIN_MS + self.world.now_ms
        for machine in self.machines:
            assert machine.machine_id is not None
            verdict = Verdict(
                validator_hotkey=self._validator.ss58_address,
                machine_id=machine.machine_id,
                machine_key=machine.machine_key,
                state=VerdictState.VERIFIED,
                checked_at_ms=checked_at_ms,
                expires_at_ms=checked_at_ms + 24 * HOUR_MS,
            )
            signature = hotkey.sign(self._validator, canonical_bytes(verdict))
            record(signed=SignedVerdict(verdict=verdict, signature=signature), now=self.world.now)

    def _every(self, period_ms: int, name: str, act: Callable[[], object]) -> None:
        def run() -> None:
            if self.up:
                act()
                self.wake()
            self._every_later(period_ms, name, run)

        self.world.after(self.world.chance.uniform(0, 100), name, run)

    def _every_later(self, period_ms: int, name: str, run: Callable[[], None]) -> None:
        self.world.after(period_ms, name, run)

    def _return(self, fell_ms: int) -> None:
        self.up = True
        self.down_ms = self.world.now_ms
        self.away_ms += self.world.now_ms - fell_ms
        for machine in self.machines:
            machine.disturbed_ms = self.world.now_ms
