"""What a validator that starts anew is told of its own last word on each machine."""

import pytest

from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import MachineStanding
from protocol.validator import VerdictState
from tests.marketplace.scene import NOW, Judge, after, hardware, machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def judge() -> Judge:
    return Judge().admitted()


@pytest.fixture
def on() -> Machine:
    return machine()


def vouched(judge: Judge, at: float = 1) -> bool:
    (target,) = queries.targets(after(at), hotkey=judge.keypair.ss58_address)
    return target.vouched


def speak(judge: Judge, on: Machine, at: float = 0, **changed: object) -> None:
    told = {"hardware": hardware(), "checked_at_ms": int(after(at).timestamp() * 1000)}
    record(signed=judge.verdict(on, **(told | changed)), now=after(at))


def test_nothing_was_said_of_a_new_machine(judge: Judge, on: Machine) -> None:
    assert not vouched(judge)


def test_a_good_word_holds_also_when_it_expired_and_for_who_spoke_it_alone(
    judge: Judge, on: Machine
) -> None:
    speak(judge, on)
    assert vouched(judge)
    assert vouched(judge, at=7200)
    (target,) = queries.targets(NOW, hotkey="another")
    assert not target.vouched


def test_the_last_word_counts(judge: Judge, on: Machine) -> None:
    speak(judge, on)
    speak(judge, on, at=1, state=VerdictState.DEGRADED)
    assert not vouched(judge, at=2)


@pytest.mark.parametrize(
    "change", [{"boot_id": "boot-2"}, {"cpus_total": 5}, {"cpu_model": "Xeon"}]
)
def test_another_boot_or_processor_was_not_looked_at(
    judge: Judge, on: Machine, change: dict[str, object]
) -> None:
    speak(judge, on)
    Machine.objects.update(**change)
    assert not vouched(judge)


def test_a_word_from_before_a_granted_appeal_is_void(judge: Judge, on: Machine) -> None:
    speak(judge, on)
    MachineStanding.objects.update(fresh_since=after(1))
    assert not vouched(judge, at=2)
