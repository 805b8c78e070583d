"""What is done by a command on the server stands in the same log as what is done in the console."""

import io
from datetime import datetime

import pytest
from django.core.management import CommandError, call_command

from marketplace.accounts.models import User
from marketplace.oversight.models import Act
from marketplace.payments.models import Payer

PASSWORD = "correct horse battery staple"


def kinds() -> list[str]:
    return [act.kind for act in Act.objects.order_by("id")]


def test_making_an_operator_is_an_act(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
        call_command("create_account", "root@berth.example", operator=True)
    first, again = Act.objects.order_by("id")
    root = User.objects.get()
    assert (first.kind, first.person, first.by) == ("account", root, None)
    assert (first.before, first.after) == ({"there": False}, {"operator": True})
    assert again.before == {"there": True}
    assert PASSWORD not in str(Act.objects.values())


def test_giving_credit_is_an_act_once(alice: User) -> None:
    for _ in range(2):
        call_command("grant_credit", alice.email, "5.00", days=30, cause="spring", note="Spring")
    act = Act.objects.get()
    assert (act.kind, act.person, act.reason) == ("credit", alice, "Spring")
    assert act.after == {"credit": "$5.00"}


def test_letting_somebody_pay_is_an_act_and_a_refused_command_none(
    alice: User, now: datetime
) -> None:
    with pytest.raises(CommandError):
        call_command("let_pay", alice.email)
    assert kinds() == []
    Payer.objects.create(user=alice, customer="cus_1", barred_at=now)
    call_command("let_pay", alice.email)
    assert kinds() == ["let-pay"]
    assert Payer.objects.get().barred_at is None


def test_reading_somebodys_statement_is_an_act(alice: User) -> None:
    with pytest.raises(CommandError):
        call_command("statement", "nobody@berth.example")
    assert kinds() == []
    call_command("statement", alice.email, stdout=io.StringIO())
    act = Act.objects.get()
    assert (act.kind, act.person, act.by) == ("read-statement", alice, None)
    assert act.by_name.startswith("command statement (")


def test_validators_come_and_go_by_acts(db: None) -> None:
    hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    with pytest.raises(CommandError):
        call_command("add_validator", "no hotkey", name="x")
    call_command("add_validator", hotkey, name="One", stake=3)
    call_command("expel_validator", hotkey)
    assert kinds() == ["admit-validator", "expel-validator"]
    first = Act.objects.order_by("id")[0]
    assert (first.subject, first.after) == (f"validator {hotkey}", {"name": "One", "stake": 3})
    assert first.reason == "by the command add_validator"


def test_clearing_an_audit_is_an_act_and_running_one_is_none(db: None) -> None:
    call_command("ledger_audit")
    assert kinds() == []
    call_command("ledger_audit", clear=True)
    assert kinds() == ["clear-audit"]
