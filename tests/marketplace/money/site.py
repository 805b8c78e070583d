"""This will hold one small market, its people, clocks and faults, for tests of all money."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from django.db import connection

from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import hold
from marketplace.ledger.actions.grant_credit import expire_credit
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.actions.count_storage import count_storage
from marketplace.offers.actions.set_terms import set_terms
from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.actions.settle import settle_all
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door
from marketplace.rentals.actions.expire import expire
from marketplace.rentals.models import Rental
from marketplace.verification.actions.record_verdict import record
from protocol.hardware import Resources
from protocol.validator import Measurement
from tests.marketplace import scene
from tests.marketplace.money.box import Box
from tests.marketplace.money.metered import Agreed
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.rentals.proving import LISTED
from tests.marketplace.scene import GIB, NOW

#: what adds transfers on PostgreSQL, and counts them in their accounts
POSTS = "WITH entry"
WRITES = ("INSERT", "UPDATE", "DELETE", POSTS)
DISK_BYTES = 2 * GIB
#: of a GB and 30 days
STORAGE = 7_000_000
#: 40 % off from a day on
DISCOUNTS = ({"days": 1, "discount_ppm": 400_000},)
#: what runs each second, and what runs more seldom
OFTEN: Sequence[Callable[..., object]] = (charge_all, expire, settle_all)
SELDOM: Sequence[Callable[..., object]] = (
    *(expire_credit, hold.release_expired, count_storage, sweep),
)
#: a verdict holds for an hour at first, and then for a day
VERIFIED_AT_FIRST, VERIFIED_FOR = timedelta(hours=1), timedelta(hours=23)


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def dying(before_write: int | None) -> Iterator[None]:
    """End the process before this write to the database, counted from 0. None: it lives."""
    left = before_write

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        nonlocal left
        if left is not None and sql.startswith(WRITES):
            if left == 0:
                raise Killed
            left -= 1
        return run(sql, *rest)

    with suppress(Killed), connection.execute_wrapper(execute):
        yield


class Complaints(logging.Handler):
    """Keeps what the site logs as a fault of its own: passes go on past what they cannot do."""

    #: what our own faults bring about
    EXPECTED = frozenset({"No door answers"})

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        if record.getMessage() not in self.EXPECTED:
            self.heard.append(f"{record.getMessage()}: {record.exc_info}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the whole marketplace, which says nothing of less meanwhile."""
        logger = logging.getLogger("marketplace")
        logger.addHandler(self)
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(self)


class Site:
    """Charlie's machine, and Alice and Bob who rent parts of it.

    ``now`` is the site's clock, which may step; the machine's own never does.
    """

    def __init__(self, renters: Sequence[User], host: User) -> None:
        self.now = NOW
        self.renters, self.host = renters, host
        for renter in renters:
            give_key(renter)
        self.market = Market.open(host)
        self.judge = scene.Judge()
        self.verified_until = NOW + VERIFIED_AT_FIRST
        self.box = Box(self.market.agent)
        self.terms(price_cpu_hour_microusd=CPU_HOUR_MICROUSD)
        self.terms(
            bid_floor_microusd=100_000,
            discounts=DISCOUNTS,
            storage_price_microusd=STORAGE,
            longest_term_s=100 * 86_400,
        )
        #: by placement
        self.agreed: dict[UUID, Agreed] = {}
        #: how far the clock stepped forward in all
        self.stepped_ms = 0
        #: whose doors do not answer
        self.shut: set[UUID] = set()
        #: the next thing that is done dies before this write
        self.dies_at: int | None = None
        #: how often that was so
        self.died = 0
        self.tally: Counter[str] = Counter()
        #: what is done after each thing that anybody does
        self.after: Callable[[], object] = lambda: None

    def do(self, act: Callable[[], Any]) -> Any:
        """Return what it returns; None where it was refused, or died as ``dies_at`` says."""
        dies_at, self.dies_at = self.dies_at, None
        found = None
        self.died += 1
        with dying(dies_at):
            try:
                found = act()
            except Refused as refused:
                self.tally[f"refused: {refused.code}"] += 1
            self.died -= 1
        self.after()
        return found

    def terms(self, **terms: Any) -> None:
        """Have the host set terms."""
        set_terms(host_id=self.host.pk, machine_id=self.market.machine.id, now=self.now, **terms)

    def rent(self, who: int, *, cpus: int, agreed: Agreed, **asked: Any) -> Rental | None:
        """Rent so many CPUs; ``agreed``: what the renter saw before."""
        if self.now >= self.verified_until:
            self.verify()
        resources = Resources.of(cpus=cpus, ram_bytes=GIB, disk_bytes=DISK_BYTES)
        asked |= {"now": self.now, "resources": resources}

        def act() -> Rental:
            rental = self.market.rent(self.renters[who], **asked)
            self.agreed.setdefault(rental.placement_id, agreed)
            return rental

        found = self.do(act)
        assert found is None or isinstance(found, Rental)
        return found

    def verify(self, percent: int = 100) -> None:
        """Have a validator vouch for the machine for a day, and measure so much of it."""
        checked_ms, for_ms = int(self.now.timestamp() * 1000), VERIFIED_FOR.total_seconds() * 1000
        verdict = self.judge.verdict(
            self.market.machine,
            measurement=Measurement(cpus=4, cpu_hash_rate=LISTED * 4 * percent // 100),
            checked_at_ms=checked_ms,
            expires_at_ms=checked_ms + int(for_ms),
        )
        with suppress(Refused):
            record(signed=verdict, now=self.now)
            self.verified_until = self.now + VERIFIED_FOR

    def pass_time(self, seconds: float) -> None:
        """Let time go by; nobody does anything meanwhile."""
        self.now += timedelta(seconds=seconds)
        self.box.pass_time(round(seconds * 1000))

    def step_clock(self, seconds: int) -> None:
        """Let the site's clock step, and no time go by."""
        self.now += timedelta(seconds=seconds)
        self.stepped_ms += max(0, seconds * 1000)

    def look(self, doors: Sequence[Door]) -> dict[UUID, timedelta]:
        """Answer for the network."""
        open_ = [door.placement_id for door in doors if door.placement_id not in self.shut]
        return dict.fromkeys(open_, timedelta(0))

    def look_at_doors(self) -> None:
        """Look at every door."""
        Placement.objects.filter(state="running").update(look_due_at=self.now)
        prove_reachable(now=self.now, probe=self)
        look_again(now=self.now, probe=self, chance=Random(1))
        self.after()

    def hear(self, **faults: Any) -> None:
        """Hear the machine."""
        self.do(partial(self.box.sync, self.now, **faults))

    def work(self, seconds: float) -> None:
        """Let it run for so long, as it does on a good day, and charge it."""
        self.pass_time(seconds)
        self.hear()
        self.look_at_doors()
        self.run_passes(OFTEN)

    def run_passes(
        self,
        passes: Sequence[Callable[..., object]] = (*OFTEN, *SELDOM),
        *,
        dies_at: int | None = None,
        back_s: float = 0,
    ) -> None:
        """Run what runs by itself; the clock of who runs it may be behind."""
        for one in passes:
            self.died += 1
            with dying(dies_at):
                one(now=self.now - timedelta(seconds=back_s))
                self.died -= 1
            self.after()

    def rental(self, number: int) -> Rental | None:
        """Return one of those that were rented, the newest being 0."""
        found = Rental.objects.select_related("placement", "meter", "offer")
        newest = found.order_by("-started_at", "-id")
        return newest[number] if number < newest.count() else None
