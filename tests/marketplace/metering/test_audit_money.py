"""The daily audit reads meters too, is kept, and wakes somebody."""

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from uuid import uuid4

import pytest
from django.apps import apps
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import ActKind
from marketplace.domain.upkeep import GB, MONTH_MS
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.models import Account, AuditRun, EarnedDay, Hold
from marketplace.metering.actions.audit_money import audit_daily, audit_money
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter, SideMeter, SignedIntervalRow
from marketplace.oversight.models import Act
from marketplace.payouts.disagreeing import Disagreeing, disagreeing
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import after


@pytest.fixture
def meter(charlie: User, alice: User, give: Callable[..., None]) -> Meter:
    """One that was charged ten seconds."""
    market = Market.open(charlie)
    give(alice, 100_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(1))
    Meter.objects.update(proven_ms=10_000)
    sign(Meter.objects.get(), 0, after(2), after(11.9999))
    sign(Meter.objects.get(), 1, after(12), after(12.001))
    charge_all(now=after(20))
    return Meter.objects.get()


def sign(meter: Meter, sequence: int, since: datetime, until: datetime) -> None:
    SignedIntervalRow.objects.create(
        placement_id=meter.placement_id,
        sequence=sequence,
        signed={},
        unbroken_from_age_ms=0,
        received_at=until,
        billable_from=since,
        billable_to=until,
    )


@pytest.mark.parametrize(("more", "words"), [(-1, "1 ms less"), (1, "1 ms more")])
def test_a_meter_that_counts_other_time_than_was_signed_is_found(
    meter: Meter, now: datetime, more: int, words: str
) -> None:
    Meter.objects.update(proven_ms=F("proven_ms") + more, charged_ms=0)
    (problem,) = audit_money(now=now).problems
    assert f"counts {words} than its machine's signed intervals." in problem
    Meter.objects.update(closed_at=now)
    Hold.objects.update(released_at=now, state="posted")
    assert any("signed intervals" in one for one in audit_money(now=now).problems)
    week = audit_money(now=now + timedelta(days=7)).problems
    assert not any("signed intervals" in one for one in week)


def test_a_meter_that_counts_other_than_its_transfers_is_found(meter: Meter, now: datetime) -> None:
    assert audit_money(now=now).problems == []
    Meter.objects.update(charged_microusd=F("charged_microusd") + 1)
    (problem,) = audit_money(now=now).problems
    assert "charged $0.000001 more, with $0.00 less of fees, than its transfers." in problem


def test_a_day_that_counts_other_than_its_transfers_is_found_with_whose_it_is(
    meter: Meter, now: datetime
) -> None:
    day = EarnedDay.objects.get(host_id=meter.host_id, machine_id=meter.placement.machine_id)
    assert (day.earned_microusd, day.fee_microusd) == (
        meter.charged_microusd - meter.fee_microusd,
        meter.fee_microusd,
    )
    for wrong, words in (
        ({"earned_microusd": day.earned_microusd + 1}, "$0.000001 more earned"),
        ({"fee_microusd": day.fee_microusd - 1}, "with $0.000001 less of fees"),
        ({"day": day.day + timedelta(days=1)}, "earned on"),
        ({"machine_id": meter.id}, "earned on"),
    ):
        EarnedDay.objects.update(**wrong)
        problems = audit_money(now=now).problems
        assert problems
        assert all(words in one for one in problems)
        assert disagreeing() == Disagreeing(frozenset({meter.host_id}))
        day.save()
    assert audit_money(now=now).problems == []


def test_what_was_earned_before_days_were_counted_is_counted_once(
    meter: Meter, now: datetime
) -> None:
    fill = import_module("marketplace.metering.migrations.0004_fill_earned_days").fill
    found = list(EarnedDay.objects.values("host", "day", "machine_id", "earned_microusd"))
    EarnedDay.objects.all().delete()
    assert len(audit_money(now=now).problems) == 1
    # Twice, as when the migrations go back and forth.
    for _ in range(2):
        fill(apps, connection.schema_editor())
    assert audit_money(now=now).problems == []
    filled = EarnedDay.objects.values("host", "day", "machine_id", "earned_microusd")
    assert list(filled) == found


def test_days_are_counted_anew_and_the_log_says_so(
    meter: Meter, capsys: pytest.CaptureFixture[str]
) -> None:
    days = EarnedDay.objects.values("host", "day", "machine_id", "earned_microusd", "fee_microusd")
    right = list(days)
    assert right
    call_command("ledger_audit", "--recount-days")
    assert "were other ones: 0." in capsys.readouterr().out
    assert not Act.objects.exists()
    EarnedDay.objects.create(
        host_id=meter.host_id, day=meter.opened_at.date() - timedelta(days=9), machine_id=uuid4()
    )
    EarnedDay.objects.filter(earned_microusd__gt=0).update(earned_microusd=1)
    with pytest.raises(CommandError, match="earned on"):
        call_command("ledger_audit")
    call_command("ledger_audit", "--recount-days")
    assert "were other ones: 1." in capsys.readouterr().out
    assert list(days.all()) == right
    act = Act.objects.get()
    assert (act.kind, act.person_id) == (ActKind.RECOUNT, meter.host_id)


def test_a_meter_that_goes_on_without_its_hold_is_found(meter: Meter, now: datetime) -> None:
    Hold.objects.update(released_at=now, state="posted")
    assert any("not over together" in one for one in audit_money(now=now).problems)


def test_a_disk_that_was_kept_is_a_part_of_what_its_meter_took(meter: Meter, now: datetime) -> None:
    SideMeter.objects.create(
        meter=meter,
        storage_price_microusd=700,
        disk_bytes=GB,
        stored_ms=MONTH_MS,
        network_price_microusd=0,
        traffic_microusd_max=0,
        storage_microusd=700,
        fee_microusd=35,
    )
    hold.capture(
        hold_id=meter.hold_id,
        amount_microusd=MicroUsd(700),
        host_user_id=meter.host_id,
        machine_id=meter.placement.machine_id,
        fee_microusd=MicroUsd(35),
        cause=f"meter:{meter.id}:storage:700",
        kind=TransferKind.STORAGE,
        now=now,
    )
    assert audit_money(now=now).problems == []
    SideMeter.objects.update(fee_microusd=36)
    assert len(audit_money(now=now).problems) == 1
    for wrong in ({"stored_ms": MONTH_MS - 1}, {"storage_microusd": 0, "traffic_microusd": 0}):
        SideMeter.objects.update(**{"fee_microusd": 35, "stored_ms": MONTH_MS, **wrong})
        assert any("for its disk" in one for one in audit_money(now=now).problems)


def break_books(user: User) -> None:
    wallet = open_account.wallet(user_id=user.pk)
    Account.objects.filter(pk=wallet.pk).update(credits_posted=5)


def test_the_audit_runs_once_a_day_and_is_kept(alice: User, now: datetime) -> None:
    for hours in (0, 1, 12, 24, 25, 48):
        assert audit_daily(now=now + timedelta(hours=hours)) == 0
    ran = AuditRun.objects.order_by("at").values_list("at", flat=True)
    assert [at - now for at in ran] == [timedelta(days=days) for days in (0, 1, 2)]


def test_books_that_do_not_add_up_wake_somebody(
    alice: User, now: datetime, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OPERATOR_EMAILS = ["operator@example.org"]
    break_books(alice)
    assert audit_daily(now=now) == 2
    assert [one.levelname for one in caplog.records] == ["CRITICAL"]
    (letter,) = mail.outbox
    assert letter.to == ["operator@example.org"]
    assert "counts $0.000005 more in than moved." in letter.body
    assert AuditRun.objects.get().problems[0] in letter.body


def test_without_an_address_the_log_says_it(
    alice: User, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    break_books(alice)
    audit_daily(now=now)
    assert (mail.outbox, caplog.messages) == ([], ["Ledger does not add up"])
