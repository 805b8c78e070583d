"""A whole look at a machine with GPUs: SSH, facts, the real prover on fake cards, and a verdict."""

import sys
from dataclasses import replace

from protocol.hardware import Hardware
from protocol.validator import VerdictState
from tests import fakecuda
from tests.validator import builders
from tests.validator.gpu_door import MODEL, TINY, Edit, program, uuid_of
from tests.validator.machine_door import Machine, new_machine, opened
from tests.validator.test_look import inspector_of, target_of
from validator.domain.verdict import Look, Outcome, decide

CARD_BYTES = 2 << 20


def with_cards(listed: int) -> Hardware:
    cards = (
        builders.gpu(uuid=uuid_of(number), model=MODEL, vram_bytes=CARD_BYTES)
        for number in range(listed)
    )
    return builders.hardware(gpus=tuple(cards))


def machine_of(*edits: Edit, listed: int, shown: int) -> Machine:
    return new_machine(
        hardware=with_cards(listed),
        program=(sys.executable, "-I", "-S", program(*edits).name, "--gpus"),
        environment=fakecuda.environment(devices=shown, memory_mb=2),
    )


async def look(machine: Machine, **changes: object) -> tuple[Look, VerdictState, set[str]]:
    """Look once, at the cards alone; return what came of it and what the host is told.

    The other sources of this machine's facts know of no card; test_checks.py is about those.
    """
    async with opened(machine):
        target = target_of(machine, claimed=machine.hardware, cpus_free=0, **changes)
        seen = await replace(inspector_of(machine), gpu_rules=TINY).look(target)
    alone = replace(seen, facts=None)
    verdict = decide(hotkey=builders.ALICE, target=target, look=alone, now_ms=builders.NOW_MS)
    return seen, verdict.state, {reason.code for reason in verdict.reasons}


async def test_each_card_is_measured_and_named_in_the_verdict() -> None:
    """A processor is no GPU: its figures are right and far too low."""
    seen, state, codes = await look(machine_of(listed=2, shown=2))
    assert seen.outcome is Outcome.SEEN, seen
    assert seen.measurement is not None
    assert [one.uuid for one in seen.measurement.gpus] == [uuid_of(0), uuid_of(1)]
    assert seen.cuda is not None
    assert [one.capability for one in seen.cuda] == ["8.0", "8.0"]
    assert (state, codes) == (
        VerdictState.DEGRADED,
        {"gpu_bandwidth_low", "gpu_slow", "gpu_memory_missing"},
    )


async def test_a_rented_card_is_neither_asked_nor_blamed() -> None:
    seen, _, codes = await look(
        machine_of(listed=2, shown=2),
        busy=True,
        gpus_rented=(uuid_of(0),),
        gpus_proven_at_ms={uuid_of(0): builders.NOW_MS, uuid_of(1): builders.NOW_MS},
    )
    assert seen.measurement is not None
    assert [one.uuid for one in seen.measurement.gpus] == [uuid_of(1)]
    assert "gpu_proof_postponed" in codes


async def test_a_card_that_only_the_listing_has_degrades_the_machine() -> None:
    _, state, _ = await look(machine_of(listed=2, shown=1))
    assert state is VerdictState.DEGRADED


async def test_a_cheat_is_asked_twice_and_suspended() -> None:
    half = ("self._product(number))", "self._product(number // 2))")
    machine = machine_of(half, listed=1, shown=1)
    seen, state, codes = await look(machine)
    assert (seen.outcome, state) == (Outcome.PROOF_WRONG, VerdictState.SUSPENDED)
    assert codes == {"machine_proof_wrong"}
    assert machine.sessions == 3, "facts and two proofs"
