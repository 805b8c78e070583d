"""What a hostile prover may say of its GPUs and leaves: limits on every field, and deadlines."""

from dataclasses import replace

import pytest

from tests.validator.gpu_door import MODEL, TINY, proven, uuid_of
from validator.proof.conversation import ProofUnfinished, ProofWrong
from validator.proof.gpu_evidence import PIECES_MAX, leaves_of
from validator.proof.inventory import devices_of

CARD: dict[str, object] = {
    "index": 0,
    "uuid": "GPU-1",
    "name": "H100",
    "pci": "0000:01:00.0",
    "capability": 90,
    "sms": 132,
    "bus_bits": 5120,
    "l2_bytes": 1,
    "vram_bytes": 1,
}


def hello(*cards: object) -> dict[str, object]:
    return {"version": 1, "gpus": list(cards)}


def test_the_devices_of_a_greeting_are_read() -> None:
    (device,) = devices_of(hello(CARD))
    assert (device.uuid, device.capability) == ("GPU-1", 90)
    assert devices_of({"version": 1}) == ()


def test_a_prover_of_another_version_is_not_judged() -> None:
    with pytest.raises(ProofUnfinished, match="update the agent"):
        devices_of({**hello(), "version": 2})


@pytest.mark.parametrize(
    "told",
    [
        hello("GPU"),
        hello({**CARD, "more": 1}),
        hello({**CARD, "vram_bytes": -1}),
        hello({**CARD, "vram_bytes": "much"}),
        hello({**CARD, "name": "x" * 201}),
        hello({**CARD, "index": 1}),
        hello(CARD, {**CARD, "index": 1}),
        hello(*({**CARD, "index": n, "uuid": f"GPU-{n}"} for n in range(65))),
        {"version": 1, "gpus": {"0": CARD}},
    ],
)
def test_a_malformed_greeting_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ProofWrong):
        devices_of(told)


@pytest.mark.parametrize(
    "leaves",
    [
        None,
        {},
        [],
        ["leaf"],
        [[["AA=="]]],
        [[["AA=="], "AA=="]],
        [[["AA=="], ["***"]]],
        [[["AA=="], [7]]],
        [[["AA=="], ["AA=="] * (PIECES_MAX + 1)]],
    ],
)
def test_a_malformed_leaf_is_refused(leaves: object) -> None:
    with pytest.raises(ProofWrong):
        leaves_of(leaves, 1)
    assert leaves_of([[["AA==", "AQ=="], []]], 1) == ((b"\x00\x01", b""),)


@pytest.mark.parametrize("op", ["_fill", "_open"])
async def test_an_answer_that_does_not_come_in_time_proves_nothing(op: str) -> None:
    silent = (
        f"def {op}(self, request: Request) -> Iterator[Answer]:\n",
        f"def {op}(self, request: Request) -> Iterator[Answer]:\n        return iter(())\n",
    )
    with pytest.raises(ProofUnfinished, match="too late"):
        await proven(silent, rules=replace(TINY, work_s_max=0.2, open_s_max=0.2))


@pytest.mark.parametrize("regions", ['"4"', "0", "-1", "True", "1 << 40"])
async def test_an_impossible_amount_of_memory_is_refused(regions: str) -> None:
    told = ('{"regions": regions}', f'{{"regions": {regions}}}')
    with pytest.raises(ProofWrong):
        await proven(told)


async def test_another_gpu_than_asked_may_not_answer() -> None:
    other = ('done.put({"gpu": part["gpu"], **work', 'done.put({"gpu": 1, **work')
    with pytest.raises(ProofWrong, match="not asked"):
        await proven(other, models={uuid_of(0): MODEL}, devices=2)
