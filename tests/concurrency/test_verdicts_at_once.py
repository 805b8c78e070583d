"""Many verdicts that are handed in together wait for each other, and never in a circle."""

from collections.abc import Callable
from functools import partial

import bittensor_core
import pytest

from marketplace.verification.actions.record_verdict import record_all
from marketplace.verification.models import MachineStanding, VerdictRecord
from protocol.hardware import Gpu
from tests.marketplace.scene import GIB, Judge, after, hardware, machine

Race = Callable[[list[Callable[[], object]]], list[object]]
MACHINES = 12


def test_validators_that_speak_of_the_same_machines_at_once_are_all_heard(
    race: Race, caplog: pytest.LogCaptureFixture
) -> None:
    of = hardware(gpus=1)
    machines = [machine(of=of) for _ in range(MACHINES)]
    names = ("//Judge", "//Alice", "//Bob", "//Charlie")
    judges = [Judge(bittensor_core.Keypair.create_from_uri(name)).admitted() for name in names]
    # The machines at the ends show one card, so that they are to be proven together too.
    shown = {
        on.id: of.model_copy(
            update={
                "gpus": (
                    Gpu(
                        uuid=f"GPU-{number % (MACHINES - 1)}",
                        model="H100",
                        vram_bytes=80 * GIB,
                        driver="550",
                    ),
                )
            }
        )
        for number, on in enumerate(machines)
    }
    for second in range(3):
        at_ms = int(after(second).timestamp() * 1000)
        calls: list[Callable[[], object]] = []
        for number, judge in enumerate(judges):
            order = machines if number % 2 else machines[::-1]
            signed = [judge.verdict(on, hardware=shown[on.id], checked_at_ms=at_ms) for on in order]
            calls += [partial(record_all, signed=signed, now=after(second))] * 2
        outcomes = race(calls)
        for found in outcomes:
            assert isinstance(found, tuple), found
            assert {type(each) for each in found} == {VerdictRecord}, found
    count = MACHINES * len(judges)
    assert VerdictRecord.objects.count() == 3 * count
    assert VerdictRecord.objects.filter(newest=True).count() == count
    ends = MachineStanding.objects.filter(machine__in=(machines[0], machines[-1]))
    assert ends.filter(together=None).count() == 0
    # Whoever met in a circle would have been taken in one by one.
    assert not [each.message for each in caplog.records if each.exc_info]
