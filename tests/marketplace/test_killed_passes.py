"""The scheduler killed at every write of its passes: the next one ends up where this one would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils.module_loading import import_string

from marketplace.accounts.models import SshKey, User
from marketplace.domain.funding import Funding
from marketplace.domain.placement import LIVE
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.ledger.models import Account, Transfer
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter
from marketplace.placements.models import Lease, Placement
from marketplace.rentals.actions.renew import renew
from marketplace.rentals.models import Rental
from marketplace.schedule import PASSES
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import after
from tests.marketplace.statements import writes

#: "reach" and "look" ask the network, and have tests of their own
NAMES = ("charge", "expire", "sweep", "offline", "list", "offers")


class Killed(BaseException):
    """The process dies here."""


@contextmanager
def killed_before(write: int) -> Iterator[list[str]]:
    """Die before this write, counted from 0; give the writes that were done."""
    done: list[str] = []

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if writes(sql):
            if len(done) == write:
                raise Killed
            done.append(sql)
        return run(sql, *rest)

    with connection.execute_wrapper(execute):
        yield done


def run_passes(*, now: datetime) -> None:
    """Run everything that is due, often enough for each step to follow on the one before."""
    for _ in range(2):
        for entry in PASSES:
            if entry.name in NAMES:
                import_string(entry.path)(now=now)


def outcome() -> dict[str, object]:
    """Return what came of it, but for the ids."""
    assert audit.audit() == []
    states = Placement.objects.order_by("created_at", "id").values_list(
        "state", "want", "blame", "reason_code", "deadline_at", "ended_at", "freed_at"
    )
    meters = Meter.objects.order_by("opened_at", "id")
    return {
        "placements": list(states),
        "leases": Lease.objects.count(),
        "meters": list(meters.values_list("charged_ms", "charged_microusd", "closed_at")),
        "transfers": sorted(Transfer.objects.values_list("kind", "amount_microusd")),
        "accounts": sorted(
            (account.kind, account.balance_microusd) for account in Account.objects.all()
        ),
        "machine": list(Machine.objects.values_list("online", "cpus_free", "disk_bytes_free")),
    }


@pytest.fixture
def market(charlie: User, alice: User, give: Callable[..., None]) -> Market:
    """A market in which at ``after(4000)`` something is due of every kind."""
    market = Market.open(charlie)
    give(alice, 50_000_000)
    give_key(alice)
    gone = market.rent(alice, now=after(0), lease_s=60)
    over = market.rent(alice, now=after(1), lease_s=60)
    market.run(gone, at=after(2))
    market.run(over, at=after(2))
    market.look(at=after(12))
    market.agent.sync(after(12))
    seen = [
        market.agent.observed(one.placement_id, ObservedState.RUNNING, run=1, age_ms=10_000)
        for one in (gone, over)
    ]
    signed = [market.agent.count(over.placement_id, 0, 10_000)]
    market.agent.sync(after(12), placements=seen, intervals=signed)
    told = [market.agent.observed(gone.placement_id, ObservedState.GONE, run=1)]
    market.agent.sync(after(13), placements=told)
    market.rent(alice, now=after(14), lease_s=60)
    return market


def test_a_kill_at_any_write_changes_nothing_in_the_end(market: Market) -> None:
    due = Placement.objects.filter(state__in=LIVE).count()
    with transaction.atomic():
        with killed_before(-1) as done:
            run_passes(now=after(4000))
        expected = outcome()
        transaction.set_rollback(True)
    assert (due, len(done) > 20) == (2, True)
    for write in range(len(done)):
        with transaction.atomic():
            with pytest.raises(Killed), killed_before(write):
                run_passes(now=after(4000))
            run_passes(now=after(4000))
            assert outcome() == expected, done[write]
            transaction.set_rollback(True)


@pytest.fixture
def rolling(charlie: User, alice: User, bob: User, give: Callable[..., None]) -> None:
    """Rentals that are paid an hour ahead: one to be renewed, one to be stopped, one that waits."""
    market = Market.open(charlie)
    give(alice, 2 * CPU_HOUR_MICROUSD + 30_000)
    give(bob, 2 * CPU_HOUR_MICROUSD)
    give_key(alice)
    asked = {"lease_s": 86_400, "funding": Funding.ROLLING}
    stops, waits = market.rent(alice, **asked), market.rent(alice, **asked)
    SshKey.objects.update(user=bob)
    renewed = market.rent(bob, **asked)
    for one, used_ms in ((stops, 3_599_000), (waits, 3_000_000), (renewed, 3_000_000)):
        market.run(one, at=after(1))
        Meter.objects.filter(id=one.meter_id).update(proven_ms=used_ms)


def test_a_renewal_that_is_killed_at_any_write_is_made_once(rolling: None, bob: User) -> None:
    def after_all() -> dict[str, object]:
        rentals = Rental.objects.order_by("started_at", "id")
        columns = ("files_until", "fund_due_at", "placement__paid_until", "meter__proven_ms_max")
        return outcome() | {"rentals": sorted(rentals.values_list(*columns), key=repr)}

    with transaction.atomic():
        with killed_before(-1) as done:
            renew(now=after(2))
        expected = after_all()
        assert ledger.balance(bob.pk) == 600_000
        transaction.set_rollback(True)
    assert len(done) > 10
    for write in range(len(done)):
        with transaction.atomic():
            with pytest.raises(Killed), killed_before(write):
                renew(now=after(2))
            renew(now=after(2))
            assert after_all() == expected, done[write]
            transaction.set_rollback(True)
