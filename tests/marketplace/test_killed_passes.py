"""The scheduler killed at every write of its passes: the next one ends up where this one would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils.module_loading import import_string

from marketplace.accounts.models import User
from marketplace.domain.placement import LIVE
from marketplace.ledger import audit
from marketplace.ledger.models import Account, Transfer
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter
from marketplace.placements.models import Lease, Placement
from marketplace.schedule import PASSES
from protocol.agent import ObservedState
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import after

WRITES = ("INSERT", "UPDATE", "DELETE")
#: "reach" and "look" ask the network, and have tests of their own
NAMES = ("charge", "expire", "sweep", "offline", "list", "offers")


class Killed(BaseException):
    """The process dies here."""


@contextmanager
def killed_before(write: int) -> Iterator[list[str]]:
    """Die before this write, counted from 0; give the writes that were done."""
    done: list[str] = []

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith(WRITES):
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
        with killed_before(-1) as writes:
            run_passes(now=after(4000))
        expected = outcome()
        transaction.set_rollback(True)
    assert (due, len(writes) > 20) == (2, True)
    for write in range(len(writes)):
        with transaction.atomic():
            with pytest.raises(Killed), killed_before(write):
                run_passes(now=after(4000))
            run_passes(now=after(4000))
            assert outcome() == expected, writes[write]
            transaction.set_rollback(True)
