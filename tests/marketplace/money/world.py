"""This will be the market of the stateful test: what anybody does in it, and what must then hold.

Each act makes true what it needs first: who has no money adds some, and where the machine is full
the oldest rental ends. So hardly a step does nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.domain.placement import LIVE, RUNS, PlacementState
from marketplace.ledger import queries as ledger
from marketplace.machines.actions.mark_offline import mark_offline
from marketplace.metering.actions.audit_money import audit_money
from marketplace.metering.models import Meter
from marketplace.payments.actions.refund import refund
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import Payer, Refund, TopUp
from marketplace.placements.models import Placement
from marketplace.rentals.actions import end
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.actions.count_traffic import count_traffic
from marketplace.rentals.actions.end_proof import end_late
from marketplace.rentals.actions.hold_back import hold_back
from marketplace.rentals.actions.renew import renew
from marketplace.rentals.models import Rental
from marketplace.telemetry.actions import record as record_usage
from protocol.usage import MachineUsage, PlacementUsage, Usage
from scripts.stripe_stand_in.payments import VISA
from tests.marketplace.money import books, metered
from tests.marketplace.money.banks import CENT, Banks
from tests.marketplace.money.metered import Agreed
from tests.marketplace.money.site import (
    DISK_BYTES,
    OFTEN,
    POSTS,
    SELDOM,
    STORAGE,
    WRITES,
    Complaints,
    Site,
)
from tests.marketplace.money.tally import seen
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD
from tests.marketplace.scene import GIB, NOW

USD = 1_000_000
#: of a GB of traffic
NETWORK = 10_000
CPUS = 4
#: whatever a site runs by itself that moves money of rentals
PASSES: Sequence[Callable[..., object]] = (
    *(*OFTEN, renew, hold_back, *SELDOM),
    *(count_traffic, count_proofs, end_late, mark_offline),
)
#: of tables whose rows an invariant looks at
LOOKED_AT = ("ledger_", "metering_", "payments_", "payouts_", "rentals_")


class World:
    """Charlie's machine, what Alice, Bob and Charlie rent of it, and everybody's banks."""

    def __init__(self, banks: Banks, people: Sequence[User], complaints: Complaints) -> None:
        banks.clear(NOW)
        self.banks, self.people, self.complaints = banks, people, complaints
        self.site = Site(people, people[-1])
        self.site.terms(network_price_microusd=NETWORK)
        banks.take_on(people[-1], NOW)
        #: of an hour of one CPU, as its host asks now
        self.unit = CPU_HOUR_MICROUSD
        #: every rental, the oldest first
        self.rentals: list[UUID] = []
        #: what can't be seen in any row
        self.tally: Counter[str] = Counter()
        #: bytes by placement and run, as its machine counts them
        self._sent: Counter[tuple[UUID, int]] = Counter()
        self._over: set[UUID] = set()
        self._number, self._written = 0, True
        self.site.after = banks.after = self.check
        for person in people:
            banks.give_card(person, NOW)
            banks.deliver(list(range(9)), NOW)
            banks.run_passes(NOW)

    @property
    def now(self) -> Any:
        """Return the site's time."""
        return self.site.now

    def cause(self) -> str:
        """Return a name that nothing has yet."""
        self._number += 1
        return f"step:{self._number}"

    def do(self, act: Callable[..., Any], **asked: Any) -> Any:
        """Return what somebody's act now returns; None: it was refused, or died half-way."""
        return self.site.do(partial(act, now=self.now, **asked))

    # What must hold.

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note what is written: a step that writes nothing can break nothing."""

        def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
            is_write = sql.startswith(WRITES) and any(name in sql[:60] for name in LOOKED_AT)
            self._written |= is_write or sql.startswith((POSTS, "ROLLBACK"))
            return run(sql, *rest)

        with connection.execute_wrapper(execute):
            yield

    def check(self) -> None:
        """Add everything up anew.

        :raises AssertionError: with all that does not add up.
        """
        self.tally["steps"] += 1
        if not self._written:
            return
        self._written = False
        self.tally["looked"] += 1
        wrong = [
            *books.problems(),
            *metered.problems(
                self.site.box,
                self.site.agreed,
                settings.FEE_PPM,
                slack_ms=self.site.stepped_ms,
                but=self._over,
            ),
            *self.banks.cards.faults,
            *self.banks.hosts.malformed,
            *self.complaints.heard,
        ]
        assert wrong == []
        # A closed meter was looked at after its last charge; what moves later, the books see.
        self._over = set(Meter.objects.exclude(closed_at=None).values_list("id", flat=True))

    def finish(self) -> None:
        """End everything; then nothing is held, and the banks and the audit say what the site says.

        :raises AssertionError: with all that they say otherwise.
        """
        self.site.dies_at = None
        self.site.shut.clear()
        for rental_id in self.rentals:
            self.end(Rental.objects.get(id=rental_id))
        for _ in range(4):
            self.site.pass_time(400)
            self.site.hear()
            self.site.look_at_doors()
            self.site.run_passes(PASSES)
        self.check()
        live = Placement.objects.filter(state__in=LIVE)
        assert list(live.values_list("state", "reason_code", "gone_at")) == []
        for person in self.people:
            assert ledger.held(person.pk) == 0
        self.site.now = self.banks.settle(self.site.now)
        self._written, self._over = True, set()
        self.check()
        assert self.banks.problems() == []
        assert audit_money(now=self.now).problems == []
        self.tally += self.site.tally + seen()

    # What is needed first.

    def pick(self, number: int, *states: str, **where: Any) -> Rental | None:
        """Return one of the rentals that are in such a state."""
        found = Rental.objects.filter(placement__state__in=states or LIVE, **where)
        known = {
            one.id: one for one in found.select_related("placement", "meter", "offer", "renter")
        }
        mine = [rental_id for rental_id in self.rentals if rental_id in known]
        return known[mine[number % len(mine)]] if mine else None

    def running(self, number: int, **where: Any) -> Rental | None:
        """Return a rental on demand whose door was seen, rented now where there is none."""
        where |= {"placement__reachable_at__isnull": False, "placement__want": "run"}
        found = self.pick(number, PlacementState.RUNNING, **where)
        if found is None:
            self.rent(number, cpus=1, lease_s=7200)
            self.run()
            found = self.pick(number, PlacementState.RUNNING, **where)
        return found

    def run(self) -> None:
        """Have what is offered run, and its door seen."""
        for _ in range(2):
            self.site.pass_time(2)
            self.site.hear()
        self.site.look_at_doors()

    def let_time_pass(self, seconds: float) -> None:
        """Let it go by here and at the banks, and hear the machine after it."""
        self.site.pass_time(seconds)
        self.banks.cards.at = self.now.timestamp()
        for _ in range(2):
            self.site.hear()
        self.site.run_passes(PASSES)

    def fund(self, who: int, amount_microusd: int) -> None:
        """Have somebody's good card pay for what is missing of this, and more."""
        person = self.people[who % len(self.people)]
        missing = amount_microusd - ledger.balance(person.pk)
        if missing <= 0:
            return
        self.save_card(person, VISA)
        cents = min(10_000 * USD, 2 * missing + 5 * USD) // CENT
        top_up(
            user_id=person.pk,
            amount_microusd=MicroUsd(cents * CENT),
            cause=self.cause(),
            now=self.now,
        )

    def save_card(self, person: User, number: str) -> None:
        """Have somebody, whose cards are taken, save this card, unless it is the one they have."""
        Payer.objects.filter(user=person).update(barred_at=None)
        # Who pays next is written down by both at one time: a first payment that the banks had an
        # hour before the site would lie before all that is ever held against their books.
        self.banks.cards.at = max(self.banks.cards.at, self.now.timestamp())
        if number[-4:] not in Payer.objects.get(user=person).card_text:
            self.banks.give_card(person, self.now, number)
            self.deliver_newest()

    def deliver_newest(self) -> None:
        """Bring what the banks told last, and look into it."""
        told = len(self.banks.cards.told())
        self.banks.deliver(list(range(max(0, told - 3), told)), self.now)
        self.banks.run_passes(self.now)

    def make_room(self, cpus: int) -> None:
        """End the oldest of what runs until so much is free."""
        for rental_id in self.rentals:
            runs = Placement.objects.filter(state__in=(*RUNS, PlacementState.WAITING))
            if CPUS - sum(runs.values_list("cpus", flat=True)) >= cpus:
                return
            rental = Rental.objects.select_related("placement").get(id=rental_id)
            if rental.placement.state in LIVE:
                self.end(rental)
                for _ in range(2):
                    self.site.pass_time(1)
                    self.site.hear()

    def end(self, rental: Rental) -> None:
        """Have its renter end it."""
        self.do(end.end, rental_id=rental.id, renter_id=rental.renter_id)

    def rent(
        self,
        who: int,
        *,
        cpus: int,
        agreed: Agreed | None = None,
        makes_room: bool = True,
        **asked: Any,
    ) -> Any:
        """Return what somebody rents, on demand but for what is asked; None: it was refused."""
        if makes_room:
            self.make_room(cpus)
        hour = self.unit * cpus
        self.fund(who, hour * asked["lease_s"] // 3600 + USD)
        yes = agreed or Agreed(hour)
        yes.network = NETWORK
        if not yes.on_demand:
            yes.storage, yes.disk_bytes = STORAGE, DISK_BYTES
        made = self.site.rent(who % len(self.people), cpus=cpus, agreed=yes, **asked)
        if made is not None and made.id not in self.rentals:
            self.rentals.append(made.id)
        return made

    def send_back(self, paid: TopUp, amount_microusd: int) -> Refund | None:
        """Have the operator send some of a payment back to its card."""
        made = self.do(
            refund,
            top_up_id=paid.pk,
            amount_microusd=MicroUsd(amount_microusd),
            note="asked for",
            cause=self.cause(),
            begun=repr,
        )
        assert made is None or isinstance(made, Refund)
        return made

    def read_usage(self, rental: Rental, *, more_bytes: int = 0) -> None:
        """Have the machine tell what a rental, which is idle, used since its run began."""
        box = self.site.box.of(rental.placement_id)
        yes = self.site.agreed[rental.placement_id]
        yes.told_bytes += more_bytes
        run = rental.placement_id, box.run
        self._sent[run] += more_bytes
        usage = PlacementUsage(
            placement_id=rental.placement_id,
            run=box.run,
            cpu_ms=0,
            memory_bytes=GIB,
            received_bytes=self._sent[run],
            sent_bytes=0,
        )
        whole = MachineUsage(
            load_milli=0, memory_used_bytes=0, memory_bytes=1, disk_used_bytes=0, disk_bytes=1
        )
        machine_id = self.site.market.machine.id
        told = {machine_id: Usage(machine=whole, placements=(usage,))}
        record_usage.record(usage=told, incidents={}, now=self.now)

    def newest_paid(self, number: int) -> TopUp | None:
        """Return one of Alice's and Bob's payments that arrived, of which nothing went back."""
        found = TopUp.objects.filter(
            state="paid", refunds=None, disputes=None, user__in=self.people[:2]
        )
        paid = list(found.order_by("created_at", "cause"))
        return paid[-1 - number % min(len(paid), 4)] if paid else None
