"""The simulation can fail: a bug planted in one function is found within a few seeds.

Each bug here is the function that a plausible mistake would have left; nothing else is replaced.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db.models import F

from marketplace.accounts.models import User
from marketplace.domain import door as doors
from marketplace.domain.door import Door
from marketplace.domain.intervals import Bounds, Stretch
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import capture_many, open_account
from marketplace.ledger.actions.post import post
from marketplace.machines.actions import reserve
from marketplace.metering.actions import charge, counting
from marketplace.metering.models import Meter
from marketplace.payments.actions import top_up
from marketplace.placements.actions import free, sweep
from marketplace.placements.models import Placement
from miner_agent.domain import reconcile
from miner_agent.domain.placement import Placement as Journalled
from protocol.agent import Want
from tests.faults import nemesis, renters
from tests.faults.simulation import play
from tests.faults.world import HOUR_MS

SEEDS_MAX, HOURS = 6, 1.0


def found(plant: Callable[[], None]) -> str:
    """Return what the first seeds say is broken, empty where they find nothing."""
    plant()
    for seed in range(SEEDS_MAX):
        broken = play(seed, hours=HOURS).broken
        if broken is not None:
            return broken
    return ""


def test_billing_by_the_machines_own_clock_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def placed(
        *,
        from_age_ms: int,
        to_age_ms: int,
        started_at: datetime,
        nonce_at: datetime | None,
        bounds: Bounds,
    ) -> Stretch | None:
        start, end = (
            started_at + timedelta(milliseconds=age_ms) for age_ms in (from_age_ms, to_age_ms)
        )
        return Stretch(start, end) if end > start else None

    broken = found(lambda: monkeypatch.setattr(counting, "placed", placed))
    # Where the container did not run, of two at once, or behind a shut door, as chance has it.
    assert " is billed " in broken


def test_a_door_that_is_looked_at_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def proven_for_ever(door: Door, *, stop_at: datetime | None) -> Stretch:
        return Stretch(door.open_since, datetime.max.replace(tzinfo=UTC))

    broken = found(lambda: monkeypatch.setattr(doors, "proven", proven_for_ever))
    assert "behind a shut door" in broken


def test_forgetting_the_misses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unmoved(door: Door, *, at: datetime, tells: bool) -> Door:
        return door

    # One has to stay shut for a while in which nothing else disturbs its machine or the looks.
    for fault in set(nemesis.EVERY_MS) - {"shut a door"}:
        monkeypatch.setitem(nemesis.EVERY_MS, fault, 100 * HOUR_MS)
    monkeypatch.setitem(nemesis.EVERY_MS, "shut a door", HOUR_MS // 15)
    broken = found(lambda: monkeypatch.setattr(doors, "missed", unmoved))
    assert "is active behind a shut door" in broken


def test_freeing_before_the_container_is_gone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def free_at_once(now: datetime) -> int:
        ended = Placement.objects.filter(freed_at=None, ended_at__isnull=False)
        return sum(free.free(placement=placement, now=now) for placement in ended)

    # A container has to outlive its rental where nobody reaches it: with more such machines a few
    # seeds are enough.
    monkeypatch.setitem(nemesis.EVERY_MS, "cut off", HOUR_MS // 6)
    broken = found(lambda: monkeypatch.setattr(sweep, "_free_quarantined", free_at_once))
    assert "gave its resources back while it runs" in broken


def test_lateness_by_the_marketplaces_own_absence_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # An end has to fall into the silence: with more of them a few seeds are enough.
    monkeypatch.setitem(nemesis.EVERY_MS, "silence marketplace", HOUR_MS // 20)
    broken = found(lambda: monkeypatch.setattr(sweep, "_put_off", lambda away: None))
    assert " is late after " in broken


def test_freeing_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def free_unguarded(*, placement: Placement, now: datetime) -> bool:
        Placement.objects.filter(id=placement.id).update(freed_at=now)
        placement.leases.all().delete()
        for _ in range(1 if placement.blame == "" else 2):
            held = replace(placement.held, disk_bytes=placement.disk_bytes)
            reserve.release(machine_id=placement.machine_id, held=held)
        return True

    broken = found(lambda: monkeypatch.setattr(free, "free", free_unguarded))
    assert "free of" in broken or "machine_free_within_total" in broken


def test_a_container_left_behind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = reconcile._step

    def forgetful(
        placement: Journalled,
        mine: Sequence[reconcile.Container],
        disks: Collection[int],
        *,
        here: bool,
    ) -> reconcile.Step | None:
        if placement.want is Want.END and any(one.running for one in mine):
            return None
        return honest(placement, mine, disks, here=here)

    assert " is unwanted on " in found(lambda: monkeypatch.setattr(reconcile, "_step", forgetful))


def test_a_hold_that_is_never_released_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def charge_proven(*, now: datetime) -> int:
        due = Meter.objects.filter(closed_at=None, proven_ms__gt=F("charged_ms"))
        for meter in due.order_by("opened_at", "id"):
            charge.charge(meter_id=meter.id, now=now)
        return len(due)

    broken = found(lambda: monkeypatch.setattr(charge, "charge_all", charge_proven))
    assert "is not released" in broken


def test_a_top_up_that_counts_at_each_delivery_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    deliveries: list[UUID] = []

    def pay_again(*, user_id: int, amount_microusd: MicroUsd, cause: str, now: datetime) -> None:
        user = User.objects.get(pk=user_id)
        deliveries.append(UUID(int=len(deliveries)))
        post(
            debit=open_account.promo(),
            credit=open_account.wallet(user_id=user.pk),
            amount_microusd=amount_microusd,
            kind=top_up.configured_gateway.get().kind,
            cause=f"{cause}:{deliveries[-1]}",
            now=now,
        )

    assert "top-ups" in found(lambda: monkeypatch.setattr(renters, "top_up", pay_again))


def test_a_day_that_counts_the_fee_as_earned_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = capture_many.COUNT_DAYS.replace("sum(amount - fee)", "sum(amount)")
    broken = found(lambda: monkeypatch.setattr(capture_many, "COUNT_DAYS", wrong))
    assert "counts other than" in broken
