"""When a look measures disk and line as well: at a first proof that verifies the machine."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.validator import builders, prover
from tests.validator.machine_door import new_machine
from tests.validator.test_look import _light_work, look
from validator.domain.verdict import Outcome, VerdictRules, decide
from validator.inspection import speeds

#: the same small work as there
__all__ = ("_light_work",)
#: a computer that has much else to do is verified as well
UNHURRIED = VerdictRules(hash_rate_per_cpu_min=0, step_rate_per_cpu_min=0)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "decide", partial(decide, rules=UNHURRIED))


async def test_a_first_proof_measures_disk_and_line_and_none_of_it_must_be_possible() -> None:
    machine = new_machine()
    seen = await look(machine, proven_at_ms=None)
    assert machine.sessions == 3, "facts, a proof and what could not be measured"
    assert seen.outcome is Outcome.SEEN
    assert seen.measurement is not None
    assert (seen.measurement.disk_write_mb_s, seen.measurement.network_up_mb_s) == (0, 0)


async def test_the_end_of_the_proof_is_waited_for_before_disk_and_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speeds, "BUSY_PAUSE_S", 0.01)
    provers: list[Callable[[], prover.Prover]] = [prover.Prover, prover.Busy, prover.Prover]
    machine = new_machine(prover=lambda: provers.pop()())
    assert (await look(machine, proven_at_ms=None)).outcome is Outcome.SEEN
    assert machine.sessions == 4, "facts, a proof, one that is told to wait, and the speeds"


async def test_a_machine_that_is_not_verified_takes_none_of_our_line() -> None:
    mounts = [{"path": "/proc/cpuinfo", "kind": "ext4"}]
    told = builders.facts(mounts=mounts).model_dump_json().encode()
    machine = new_machine(facts=told + b"\n")
    assert (await look(machine, proven_at_ms=None)).outcome is Outcome.SEEN
    assert machine.sessions == 2, "facts and a proof"
