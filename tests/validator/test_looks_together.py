"""Looks that demand nothing, and looks that wait for each other before their first demand."""

import asyncio
import json

import pytest

from tests.validator.machine_door import new_machine, opened
from tests.validator.prover import Prover
from tests.validator.test_look import inspector_of, target_of
from validator.barrier import GateShut
from validator.domain import proof
from validator.domain.verdict import Outcome


@pytest.fixture(autouse=True)
def _light_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "HASH_ITERATIONS", 50)
    monkeypatch.setattr(proof, "WALK_STEPS", 16)


class Noting:
    """A prover that tells which demands reached it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.prover = Prover()

    def __call__(self, line: bytes) -> bytes:
        demand = json.loads(line)
        self.asked.append(demand["op"])
        return json.dumps(self.prover.answer(demand)).encode() + b"\n"


async def test_a_look_at_facts_alone_starts_no_proof() -> None:
    async with opened(new_machine()) as machine:
        seen = await inspector_of(machine).look(target_of(machine), facts_only=True)
    assert (seen.outcome, seen.measurement) == (Outcome.SEEN, None)
    assert seen.hardware is not None
    assert machine.sessions == 1


async def test_no_nonce_reaches_a_machine_before_its_gate_opens() -> None:
    noting, arrived, opens = Noting(), asyncio.Event(), asyncio.Event()

    async def gate() -> None:
        arrived.set()
        await opens.wait()

    async with opened(new_machine(reply=noting)) as machine:
        look = asyncio.ensure_future(inspector_of(machine).look(target_of(machine), gate=gate))
        await arrived.wait()
        assert noting.asked == ["hello"]
        opens.set()
        assert (await look).measurement is not None
    assert "cpu_hash" in noting.asked


async def test_one_that_comes_late_to_its_gate_has_finished_no_proof() -> None:
    noting = Noting()

    async def gate() -> None:
        raise GateShut("The machine was not ready when the others of its group were.")

    async with opened(new_machine(reply=noting)) as machine:
        seen = await inspector_of(machine).look(target_of(machine), gate=gate)
    assert seen.outcome is Outcome.PROOF_UNFINISHED
    assert noting.asked == ["hello"]
