"""Two machines with one card between them, on a driver whose card two processes share."""

import asyncio
from pathlib import Path
from uuid import UUID

from tests.validator.gpu_door import MODEL, TINY, randomness, running, uuid_of
from validator.barrier import Barrier
from validator.proof.session import Proven, Work, prove

CARD_BYTES = 2 << 20


async def test_of_two_machines_proven_together_one_lacks_the_memory(tmp_path: Path) -> None:
    """The barrier lets both begin when both hold what they could get."""
    card = tmp_path / "card"
    card.write_bytes(bytes(512))
    machines = UUID(int=1), UUID(int=2)
    gate = Barrier(machines, wait_s_max=30)

    async def one(machine: UUID) -> Proven:
        async with running(card=card) as lines:
            return await prove(
                lines,
                work=Work(gpu_models={uuid_of(0): MODEL}, gpu_rules=TINY),
                machine=machine.bytes,
                randomness=randomness(machine.int),
                rtt_s=0.0,
                gate=lambda: gate.arrive(machine),
            )

    both = await asyncio.gather(*map(one, machines))
    filled = [sum(gpu.vram_bytes_proven for gpu in proven.measurement.gpus) for proven in both]
    assert sum(filled) <= CARD_BYTES
    assert min(filled) <= CARD_BYTES // 2, "of 90 % that a verdict asks for"
