"""What CUDA shows to the real prover, held against the machine's other sources."""

from dataclasses import replace
from typing import Any

from protocol.facts import Facts
from protocol.validator import FindingState
from tests.validator import builders, gpu_machine
from tests.validator.gpu_door import MODEL, proven
from validator.domain.verdict import compare
from validator.inspection.machine import _seen


async def test_cards_that_cuda_shows_to_the_prover_are_those_of_the_other_sources() -> None:
    done = await proven(devices=2)
    shown = {device.uuid: (device.pci.lower(), device.vram_bytes) for device in done.devices}
    gpus = tuple(
        builders.gpu(n, uuid=uuid, model=MODEL, vram_bytes=vram_bytes)
        for n, (uuid, (_, vram_bytes)) in enumerate(shown.items())
    )
    told: dict[str, Any] = gpu_machine.facts().model_dump()
    told["hardware"] = builders.hardware(gpus=gpus).model_dump()
    for n, (uuid, (pci, vram_bytes)) in enumerate(shown.items()):
        told["nvml"]["cards"][n].update(uuid=uuid, pci=pci, name=MODEL, vram_bytes=vram_bytes)
        told["driver"]["cards"][n].update(uuid=uuid, pci=pci, name=MODEL)
        told["pci"][n].update(pci=pci, device="")
    facts = Facts.model_validate(told)

    look = _seen(facts.hardware, done)
    target = builders.target(claimed=facts.hardware)
    found = {one.code: one for one in compare(target, replace(look, facts=facts), builders.NOW_MS)}

    assert "CUDA, the PCI bus, /dev and the proof show 2 GPUs." in found["gpu_count"].message
    for code in ("gpu_count", "gpu_uuid", "gpu_address"):
        assert found[code].state is FindingState.OK, found[code]


async def test_a_card_that_cuda_shows_and_nothing_else_is_a_contradiction() -> None:
    done = await proven()
    facts = gpu_machine.facts(1)
    look = replace(_seen(facts.hardware, done), facts=facts)
    found = {one.code: one for one in compare(builders.target(), look, builders.NOW_MS)}
    assert found["gpu_uuid"].state is FindingState.CONTRADICTION
