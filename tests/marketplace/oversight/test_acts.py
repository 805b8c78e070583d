"""An act is written down with what it does, and nobody changes it afterwards."""

from datetime import datetime

import pytest
from django.db import DatabaseError, transaction
from django.db.transaction import TransactionManagementError

from marketplace.accounts.models import User
from marketplace.domain.oversight import ACT_LABELS, ActKind
from marketplace.oversight.models import Act
from marketplace.oversight.record import by_command, record


def acted(now: datetime, reason: str = "asked for") -> Act:
    return record(kind=ActKind.REFUND, subject="payment 1", reason=reason, now=now, by_name="root")


def test_an_act_keeps_who_did_what_to_whom_and_why(alice: User, bob: User, now: datetime) -> None:
    record(
        kind=ActKind.BAN,
        subject="person bob@example.com",
        reason="  sends\nspam ",
        now=now,
        by_id=alice.pk,
        by_name=alice.email,
        person_id=bob.pk,
        before={"banned": False},
        after={"banned": True},
    )
    act = Act.objects.get()
    assert (act.at, act.by, act.by_name, act.person) == (now, alice, "alice@example.com", bob)
    assert (act.kind, act.reason) == ("ban", "sends spam")
    assert (act.before, act.after) == ({"banned": False}, {"banned": True})


def test_the_database_refuses_a_change(db: None, now: datetime) -> None:
    acted(now)
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        Act.objects.update(reason="another")
    act = Act.objects.get()
    act.by_name = "nobody"
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        act.save()
    assert Act.objects.get().reason == "asked for"


def test_the_database_refuses_a_removal(db: None, now: datetime) -> None:
    acted(now)
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        Act.objects.all().delete()
    assert Act.objects.exists()


def test_an_act_without_a_reason_is_not_kept(db: None, now: datetime) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        acted(now, reason=" \n")
    assert not Act.objects.exists()


def test_who_has_acts_is_not_removed(alice: User, now: datetime) -> None:
    by_command("refund", kind=ActKind.REFUND, subject="1", now=now, person_id=alice.pk)
    with pytest.raises(DatabaseError), transaction.atomic():
        alice.delete()
    assert Act.objects.get().by_name.startswith("command refund (")


def test_an_act_outside_a_transaction_is_refused(transactional_db: None, now: datetime) -> None:
    with pytest.raises(TransactionManagementError):
        acted(now)
    assert not Act.objects.exists()


def test_what_goes_back_takes_its_act_with_it(transactional_db: None, now: datetime) -> None:
    def act_and_fail() -> None:
        with transaction.atomic():
            acted(now)
            raise LookupError

    with pytest.raises(LookupError):
        act_and_fail()
    assert not Act.objects.exists()


def test_every_kind_has_words() -> None:
    assert set(ACT_LABELS) == set(ActKind)
