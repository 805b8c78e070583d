"""This will say which GPUs are asked for a proof, and what the host is told of its outcome."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.agent import Problem
from protocol.hardware import Gpu, Hardware, Sharing
from protocol.validator import GpuMeasurement, Target
from validator.domain import gpu_specs
from validator.domain.words import counted, duration, rate, size

#: how an agent names a part of a card by MPS, after the card's own name
_PART = re.compile(r" 1/\d+ shared$")
MEGA, GIGA = 10**6, 10**9


@dataclass(frozen=True, slots=True)
class GpusSeen:
    """What one look brought back of the machine's GPUs."""

    measured: Sequence[GpuMeasurement] = ()
    #: uuids that CUDA showed to the prover
    shown: Collection[str] = ()
    #: uuid -> what the prover said when the device could not go on
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Card:
    uuid: str
    model: str
    sharing: Sharing
    units: tuple[str, ...]


#: code, uuid of the card, what is wrong and what to do
_Fault = tuple[str, str, str, str]


def provable(hardware: Hardware, target: Target) -> dict[str, str]:
    """Return uuid -> model of each card that no renter uses any part of and that is no slice."""
    rented = frozenset(target.gpus_rented)
    return {
        card.uuid: card.model
        for card in _cards(hardware.gpus)
        if card.sharing is not Sharing.MIG and rented.isdisjoint(card.units)
    }


def proven_before(hardware: Hardware, target: Target) -> bool:
    """Say whether each GPU of the machine has passed a proof some time."""
    return all(gpu.uuid in target.gpus_proven_at_ms for gpu in hardware.gpus)


def judge(
    hardware: Hardware, target: Target, seen: GpusSeen, *, now_ms: int, unproven_ms_max: int
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return what keeps the machine from being verified, and what is only to be told."""
    measured = {one.uuid: one for one in seen.measured}
    faults: list[_Fault] = []
    notes: list[_Fault] = []
    for card in _cards(hardware.gpus):
        if card.uuid in measured:
            faults += _weak(card, measured[card.uuid])
        elif card.sharing is not Sharing.MIG and not set(card.units).isdisjoint(target.gpus_rented):
            proven_at_ms = [target.gpus_proven_at_ms.get(unit) for unit in card.units]
            known_ms = [at_ms for at_ms in proven_at_ms if at_ms is not None]
            if len(known_ms) < len(proven_at_ms):
                faults.append(_never_proven(card))
            else:
                late = now_ms - min(known_ms) > unproven_ms_max
                notes.append(_postponed(card, unproven_ms_max, late=late))
        else:
            faults.append(_unproven(card, seen))
    return _told(faults), _told(notes)


def _cards(gpus: Sequence[Gpu]) -> tuple[_Card, ...]:
    by_card: dict[str, list[Gpu]] = {}
    for gpu in gpus:
        by_card.setdefault(gpu.card or gpu.uuid, []).append(gpu)
    return tuple(
        _Card(
            uuid=uuid,
            model=_PART.sub("", units[0].model),
            sharing=units[0].sharing,
            units=tuple(unit.uuid for unit in units),
        )
        for uuid, units in by_card.items()
    )


def _weak(card: _Card, measured: GpuMeasurement) -> Iterator[_Fault]:
    required = gpu_specs.required(card.model, vram_bytes=measured.vram_bytes)
    if measured.vram_bytes < required.vram_bytes:
        yield (
            "gpu_memory_missing",
            card.uuid,
            f"has {size(measured.vram_bytes)} of memory, a {card.model} at least"
            f" {size(required.vram_bytes)}",
            "List the card under its true name.",
        )
    elif measured.vram_bytes_proven < required.filled_bytes:
        yield (
            "gpu_memory_missing",
            card.uuid,
            f"could fill {size(measured.vram_bytes_proven)} of its memory, at least"
            f" {size(required.filled_bytes)} are needed",
            "End what else uses the GPU: nvidia-smi shows it.",
        )
    bandwidth_bytes_s = measured.bandwidth_mb_s * MEGA
    if bandwidth_bytes_s < required.bandwidth_bytes_s:
        yield (
            "gpu_bandwidth_low",
            card.uuid,
            f"read its memory at {rate(bandwidth_bytes_s, 'B')}, a {card.model} needs"
            f" {rate(required.bandwidth_bytes_s, 'B')}",
            "End what else uses the GPU, and look at its memory clock with nvidia-smi -q.",
        )
    operations_s = measured.int8_gops * GIGA
    if operations_s < required.int8_ops_s:
        yield (
            "gpu_slow",
            card.uuid,
            f"made {rate(operations_s, 'int8 operations')}, a {card.model} needs"
            f" {rate(required.int8_ops_s, 'int8 operations')}",
            "End what else uses the GPU, and look at its power limit and heat with nvidia-smi -q.",
        )


def _never_proven(card: _Card) -> _Fault:
    """Tell of another GPU, or another name, than was rented: only proven ones are rented out."""
    return (
        "gpu_unproven",
        card.uuid,
        f"is rented, and it never passed a proof as a {card.model}",
        "Offer what was there when it was rented; else it is proven as soon as it is free.",
    )


def _postponed(card: _Card, unproven_ms_max: int, *, late: bool) -> _Fault:
    if late:
        return (
            "gpu_proof_overdue",
            card.uuid,
            f"is rented, and it passed no proof in the last {duration(unproven_ms_max)}",
            "It counts in no score until it is free and proven again; its rental goes on.",
        )
    return (
        "gpu_proof_postponed",
        card.uuid,
        "is rented",
        "It is proven again when it is free.",
    )


def _unproven(card: _Card, seen: GpusSeen) -> _Fault:
    if card.sharing is Sharing.MIG:
        return (
            "gpu_unproven",
            card.uuid,
            "is cut into slices by MIG, which cannot be proven yet",
            "Offer the card whole, or in parts by MPS.",
        )
    if card.uuid in seen.failures:
        said = seen.failures[card.uuid].rstrip(".")
        return (
            "gpu_unproven",
            card.uuid,
            f"could not finish its proof ({said})",
            "Look for Xid errors in dmesg, and end what else uses the GPU.",
        )
    if seen.shown:
        return (
            "gpu_missing",
            card.uuid,
            "is listed, but CUDA does not show it on the machine",
            "Look at nvidia-smi, restart the machine, or unlist the GPU.",
        )
    return (
        "gpu_unproven",
        card.uuid,
        "is not proven: the proof's container has no CUDA",
        "Try: docker run --rm --gpus all debian nvidia-smi.",
    )


def _told(faults: Sequence[_Fault]) -> tuple[Problem, ...]:
    """Return one problem a code: eight cards with one fault are told of in one sentence."""
    by_code: dict[str, list[_Fault]] = {}
    for fault in faults:
        by_code.setdefault(fault[0], []).append(fault)
    return tuple(_problem(code, alike) for code, alike in by_code.items())


def _problem(code: str, alike: Sequence[_Fault]) -> Problem:
    _, uuid, what, act = alike[0]
    others = f"; so it is with {counted(len(alike) - 1, 'other')}" if len(alike) > 1 else ""
    return Problem(code=code, message=f"GPU {uuid} {what}{others}. {act}")
