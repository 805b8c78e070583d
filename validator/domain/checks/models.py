"""This will compare each GPU's name with its chip, its figures and what it did in the proof."""

from collections.abc import Iterator

from protocol.facts import NvmlCard
from protocol.validator import GpuMeasurement
from validator.domain import gpu_specs, pci_ids
from validator.domain.checks.sources import (
    BUS,
    CUDA,
    NVML,
    CudaDevice,
    Found,
    Sources,
    contradiction,
    odd,
    ok,
    unknown,
)
from validator.domain.gpu_table import GpuModel
from validator.domain.words import counted, size

PPM = 1_000_000
GB = 1_000_000_000
#: NVML tells of no less than the maker's gigabytes, so this is another card
VRAM_PPM_MIN = 970_000
#: of the ratio in the table: both figures of an honest card vary by a third
RATIO_PPM = (500_000, 1_600_000)
#: SHA-256 compressions of one SM in a thousand clocks, and how far from it the rate may be. Source:
#: gpu_verification.md 2.3, counted in the kernel's machine code; not measured on a card yet
COMPRESSIONS_KILOCLOCK = 51
HASH_PPM = (400_000, 2_500_000)


def chip(sources: Sources) -> Found:
    """Compare the PCI device id with the compute capability and the name."""
    facts = sources.facts
    devices = {card.pci: card.device for card in facts.pci if card.device}
    named = {card.pci: (NVML, card.name) for card in facts.nvml.cards} if facts.nvml else {}
    named |= {one.pci: (CUDA, one.name) for one in sources.cuda or ()}
    compared = 0
    for one in sources.cuda or ():
        told = pci_ids.capability(devices.get(one.pci, ""))
        if told and one.capability and told != one.capability:
            return contradiction(
                f"{BUS[0].upper()}{BUS[1:]} shows {devices[one.pci]} at {one.pci}, a chip of"
                f" compute capability {told}; CUDA shows {one.capability}."
            )
    for pci, (source, name) in named.items():
        model, card = gpu_specs.find(name), pci_ids.CARD_BY_ID.get(devices.get(pci, ""))
        if card is None or model is None:
            continue
        compared += 1
        if model.name != card:
            return contradiction(
                f"{BUS[0].upper()}{BUS[1:]} shows {devices[pci]} at {pci}, {card};"
                f" {source} calls it {name}."
            )
    if not compared:
        return unknown("No device id is known by its card's name.")
    return ok(f"The device id of {counted(compared, 'GPU')} is of the card it is called.")


def figures(sources: Sources) -> Found:
    """Compare the name with the processors, memory bus and memory that CUDA shows."""
    known = [(one, row) for one in sources.cuda or () if (row := gpu_specs.find(one.name))]
    if not known:
        return unknown("CUDA shows no model of the table.")
    for one, model in known:
        if one.capability != model.compute_capability:
            return contradiction(
                f"{one.name} has compute capability {model.compute_capability}; CUDA shows"
                f" {one.capability}."
            )
    differences = [text for one, model in known for text in _differences(one, model)]
    if differences:
        return odd(differences[0])
    return ok(f"{counted(len(known), 'GPU')} as the table has it: {known[0][1].name}.")


def _differences(one: CudaDevice, model: GpuModel) -> Iterator[str]:
    for what, has, shown in (
        ("processors (SM)", model.sms, one.sms),
        ("bits of memory bus", model.bus_bits, one.bus_bits),
    ):
        if has is not None and shown and has != shown:
            yield f"{model.name} has {has} {what}; CUDA shows {shown}."
    if one.vram_bytes * PPM < model.vram_gb * GB * VRAM_PPM_MIN:
        yield f"{model.name} has {model.vram_gb} GB of memory; CUDA shows {size(one.vram_bytes)}."


def ratio(sources: Sources) -> Found:
    """Compare arithmetic to memory bandwidth as measured with the same in the table."""
    compared = 0
    for gpu, model in _measured(sources):
        if model.int8_gops is None or not gpu.bandwidth_mb_s or not gpu.int8_gops:
            continue
        compared += 1
        peak = model.int8_gops * gpu_specs.reachable_ppm(model) // PPM
        # Both in thousandths of an operation for a byte, so that they can be told in one figure.
        expected = peak * 1000 // model.bandwidth_gb_s
        seen = gpu.int8_gops * 1_000_000 // gpu.bandwidth_mb_s
        low, high = (expected * ppm // PPM for ppm in RATIO_PPM)
        if not low <= seen <= high:
            return odd(
                f"{gpu.name} did {seen // 1000} operations for each byte that it read; such a card"
                f" does {low // 1000} to {high // 1000}."
            )
    told = f"{counted(compared, 'GPU')} did as many operations for each byte as such cards do."
    return ok(told) if compared else unknown()


def hash_rate(sources: Sources) -> Found:
    """Compare the hash rate with the processors and their clock: a second count of them."""
    clocks = {card.uuid: card.clock_mhz for card in _managed(sources)}
    sms = {one.uuid: one.sms for one in sources.cuda or ()}
    compared = 0
    for gpu in sources.measured.gpus if sources.measured else ():
        clock, processors = clocks.get(gpu.uuid), sms.get(gpu.uuid)
        if not (clock and processors and gpu.hash_mega_s):
            continue
        compared += 1
        expected = processors * clock * COMPRESSIONS_KILOCLOCK // 1000
        low, high = (expected * ppm // PPM for ppm in HASH_PPM)
        if not low <= gpu.hash_mega_s <= high:
            return odd(
                f"{gpu.name} hashed {gpu.hash_mega_s:,} million times a second; its {processors}"
                f" processors at {clock:,} MHz should do {low:,} to {high:,}."
            )
    told = f"{counted(compared, 'GPU')} hashed as their processors at their clock should."
    return ok(told) if compared else unknown()


def _managed(sources: Sources) -> tuple[NvmlCard, ...]:
    return sources.facts.nvml.cards if sources.facts.nvml else ()


def _measured(sources: Sources) -> Iterator[tuple[GpuMeasurement, GpuModel]]:
    for gpu in sources.measured.gpus if sources.measured else ():
        model = gpu_specs.find(gpu.name)
        if model is not None:
            yield gpu, model
