"""This will compare how many GPUs each source shows, and which."""

from collections.abc import Collection, Mapping

from protocol.validator import FindingState
from validator.domain.checks.sources import (
    BUS,
    CLAIM,
    CUDA,
    DEVICES,
    KERNEL,
    NVML,
    PROOF,
    Found,
    Sources,
    contradiction,
    names,
    odd,
    ok,
    sides,
    unknown,
)
from validator.domain.words import counted, size

#: what an idle card's driver keeps of its memory, and much more. Source: gpu_verification.md 4.2
IDLE_BYTES_MAX = 2 << 30


def count(sources: Sources) -> Found:
    """Compare the numbers of cards.

    The bus and /dev may show more than the driver drives: a card may belong to another driver. That
    fewer have answered the proof is judged with the proof.
    """
    facts = sources.facts
    told = {CLAIM: len(sources.cards_claimed)}
    if facts.nvml is not None:
        told[NVML] = len(facts.nvml.cards)
    if facts.driver.version or facts.driver.module or facts.driver.cards:
        told[KERNEL] = len(facts.driver.cards)
    if sources.cuda is not None and sources.cuda_is_whole:
        told[CUDA] = len(sources.cuda)
    ours, around = set(told.values()), {BUS: len(facts.pci), DEVICES: len(facts.driver.devices)}
    if CUDA in told and sources.measured is not None and sources.measured.gpus:
        around[PROOF] = len(sources.measured.gpus)
    if not any(ours) and not any(around.values()):
        return ok("No source shows a GPU.")
    whole = sides({name: counted(number, "GPU") for name, number in {**told, **around}.items()})
    if len(ours) > 1 or min(around[BUS], around[DEVICES]) < max(ours):
        return contradiction(whole)
    return ok(whole) if set(around.values()) == ours else odd(whole)


def uuids(sources: Sources) -> Found:
    """Compare the sets of UUIDs."""
    facts = sources.facts
    told = {
        CLAIM: sources.cards_claimed,
        NVML: frozenset(card.uuid for card in facts.nvml.cards) if facts.nvml else frozenset(),
        KERNEL: frozenset(card.uuid for card in facts.driver.cards),
    }
    if "" in told[KERNEL]:
        # The kernel knows no uuid of a card that nothing has opened.
        told[KERNEL] = frozenset()
    cuda = None if sources.cuda is None else frozenset(one.uuid for one in sources.cuda)
    return _same("UUID", told, cuda, sources)


def addresses(sources: Sources) -> Found:
    """Compare the sets of PCI addresses."""
    facts = sources.facts
    told = {
        NVML: frozenset(card.pci for card in facts.nvml.cards) if facts.nvml else frozenset(),
        KERNEL: frozenset(card.pci for card in facts.driver.cards),
    }
    cuda = None if sources.cuda is None else frozenset(one.pci for one in sources.cuda)
    found = _same("PCI address", told, cuda, sources)
    bus = frozenset(card.pci for card in facts.pci)
    astray = frozenset[str]().union(*told.values()) - bus
    if bus and astray and found[0] is not FindingState.CONTRADICTION:
        return contradiction(f"{names(astray)} is shown as a GPU, but is not on the PCI bus.")
    return found


def _same(
    what: str,
    told: Mapping[str, Collection[str]],
    cuda: Collection[str] | None,
    sources: Sources,
) -> Found:
    """Compare sets; CUDA's may be a part of the others' where it was not to see all."""
    shown = {name: frozenset(values) for name, values in told.items() if values}
    if cuda and sources.cuda_is_whole:
        shown[CUDA] = frozenset(cuda)
    for values in shown.values():
        if "" in values:
            return contradiction(f"A GPU is shown without its {what}.")
    if len(set(shown.values())) > 1:
        # What all share says nothing about who is right.
        common = frozenset.intersection(*shown.values())
        return contradiction(sides({name: names(each - common) for name, each in shown.items()}))
    stray = frozenset(cuda or ()) - frozenset[str]().union(*shown.values())
    if cuda and shown and stray and not sources.cuda_is_whole:
        # A slice has a uuid of its own, which the kernel does not show.
        if all(value.startswith("MIG-") for value in stray):
            return ok(f"The same {what} of each GPU in {len(shown)} sources.")
        return contradiction(f"CUDA shows {names(stray)}, which no other source shows.")
    if len(shown) + bool(cuda) < 2:
        return unknown()
    return ok(f"The same {what} of each GPU in {counted(len(shown), 'source')}.")


def memory_used(sources: Sources) -> Found:
    """Compare what each card has in use with what an idle one needs."""
    nvml, rented = sources.facts.nvml, sources.gpus_rented
    if nvml is None:
        return unknown("NVML does not answer.")
    hardware = sources.facts.hardware
    held = rented | {gpu.card for gpu in hardware.gpus if gpu.uuid in rented}
    idle = [card for card in nvml.cards if card.uuid not in held]
    if not idle:
        return unknown("Renters hold every GPU.")
    used = [card for card in idle if (card.memory_used_bytes or 0) > IDLE_BYTES_MAX]
    if used:
        most = max(card.memory_used_bytes or 0 for card in used)
        return odd(
            f"{counted(len(used), 'GPU')} nobody rents: up to {size(most)} in use, where an idle"
            f" one needs no {size(IDLE_BYTES_MAX)}."
        )
    return ok(f"No idle GPU has {size(IDLE_BYTES_MAX)} in use.")
