"""This will hold a machine's part of a record against what validators and the machine signed."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from protocol import hotkey, signing
from protocol.message import canonical_bytes
from protocol.receipts import SignedInterval, digest
from protocol.validator import (
    CardFigures,
    CountedWord,
    MachineRecord,
    MeasuredLook,
    Measurement,
    SignedVerdict,
    VerdictState,
)

#: from the best to the worst; a word may count as a worse one, never as a better
ORDER = tuple(VerdictState)


def contradictions(
    machine: MachineRecord,
    verdicts: Sequence[SignedVerdict],
    intervals: Sequence[SignedInterval],
    as_of_ms: int,
) -> tuple[str, ...]:
    """Return everything in the record that does not follow from what was signed; empty: nothing.

    It is checked that each signature holds, that each measurement, what proves each GPU, the first
    good verdict and the state follow from the verdicts, and that each placement's chain of
    intervals ends as recorded. The moments of refusals and the uptime are the marketplace's own
    word.
    """
    by_digest = {_digest(signed): signed for signed in verdicts}
    return (
        *_signatures(machine, by_digest),
        *_looks(machine, by_digest),
        *_gpus(machine, by_digest),
        *_state(machine, by_digest, as_of_ms),
        *_first(machine, by_digest, as_of_ms),
        *_work(machine, intervals),
    )


def _digest(signed: SignedVerdict) -> str:
    return hashlib.sha256(canonical_bytes(signed)).hexdigest()


def _signatures(machine: MachineRecord, found: Mapping[str, SignedVerdict]) -> Iterator[str]:
    for sha256, signed in found.items():
        verdict = signed.verdict
        if (verdict.machine_id, verdict.machine_key) != (machine.machine_id, machine.machine_key):
            yield f"Verdict {sha256[:12]} is about another machine."
        elif not hotkey.verify(
            verdict.validator_hotkey, canonical_bytes(verdict), signed.signature
        ):
            yield f"Verdict {sha256[:12]} is not signed by the validator that it names."


def _looks(machine: MachineRecord, found: Mapping[str, SignedVerdict]) -> Iterator[str]:
    for look in machine.looks:
        signed = found.get(look.verdict_sha256)
        if signed is None:
            yield f"Nobody has verdict {look.verdict_sha256[:12]}, which a measurement names."
        elif _measured(look.verdict_sha256, signed) != look:
            yield f"Verdict {look.verdict_sha256[:12]} measured something else."
    moments = [look.checked_at_ms for look in machine.looks]
    if moments != sorted(moments):
        yield "The measurements are out of order."


def _measured(sha256: str, signed: SignedVerdict) -> MeasuredLook:
    found = signed.verdict.measurement or Measurement()
    card = CardFigures(
        vram_bytes=min((gpu.vram_bytes_proven for gpu in found.gpus), default=0),
        bandwidth_mb_s=min((gpu.bandwidth_mb_s for gpu in found.gpus), default=0),
        int8_gops=min((gpu.int8_gops for gpu in found.gpus), default=0),
    )
    return MeasuredLook(
        verdict_sha256=sha256,
        checked_at_ms=signed.verdict.checked_at_ms,
        hash_rate_per_cpu=found.cpu_hash_rate // found.cpus if found.cpus else 0,
        card=card if found.gpus else None,
    )


def _gpus(machine: MachineRecord, found: Mapping[str, SignedVerdict]) -> Iterator[str]:
    for proof in machine.gpu_proofs:
        signed = found.get(proof.verdict_sha256)
        if signed is None:
            yield f"Nobody has verdict {proof.verdict_sha256[:12]}, which a GPU's proof names."
        elif proof.uuid not in signed.verdict.gpus_proven():
            yield f"Verdict {proof.verdict_sha256[:12]} does not prove GPU {proof.uuid}."
        elif proof.checked_at_ms != signed.verdict.checked_at_ms:
            yield f"Verdict {proof.verdict_sha256[:12]} proves its GPUs at another time."
    for together in machine.together:
        signed = found.get(together.verdict_sha256)
        if (
            signed is None
            or not set(together.uuids) <= set(signed.verdict.cards_proven())
            or together.checked_at_ms != signed.verdict.checked_at_ms
        ):
            yield f"Verdict {together.verdict_sha256[:12]} does not prove these cards together."
    if len(machine.gpu_proofs) > machine.gpus:
        yield "More GPUs are proven than it has."


def _state(
    machine: MachineRecord, found: Mapping[str, SignedVerdict], as_of_ms: int
) -> Iterator[str]:
    speakers = set()
    for word in machine.words:
        signed = found.get(word.verdict_sha256)
        if signed is None:
            yield f"Nobody has verdict {word.verdict_sha256[:12]}, which the state names."
            continue
        verdict = signed.verdict
        if verdict.expires_at_ms <= as_of_ms:
            yield f"Verdict {word.verdict_sha256[:12]} had ended."
        if ORDER.index(word.state) < ORDER.index(verdict.state):
            yield f"Verdict {word.verdict_sha256[:12]} says {verdict.state}, not {word.state}."
        if verdict.validator_hotkey in speakers:
            yield "One validator's word counts twice."
        speakers.add(verdict.validator_hotkey)
    if machine.has_valid_verdict != (not machine.is_banned and _vouched(machine.words)):
        yield "Whether its verdict is valid does not follow from the words."
    if machine.is_unknown and machine.words:
        yield "It is called silent, and words about it stand."


def _vouched(words: Sequence[CountedWord]) -> bool:
    """Say whether more than half of the stake vouches, which leaves no two thirds for a ban."""
    total = sum(word.stake for word in words)
    good = sum(word.stake for word in words if word.state is VerdictState.VERIFIED)
    return 2 * good > total


def _first(
    machine: MachineRecord, found: Mapping[str, SignedVerdict], as_of_ms: int
) -> Iterator[str]:
    if not machine.first_verdict_sha256:
        if machine.verified_for_ms or machine.has_valid_verdict:
            yield "It is called verified, and no first good verdict is named."
        return
    signed = found.get(machine.first_verdict_sha256)
    if signed is None:
        yield "Nobody has the first good verdict that is named."
    elif signed.verdict.state is not VerdictState.VERIFIED:
        yield "The first good verdict that is named is none."
    elif machine.verified_for_ms != max(0, as_of_ms - signed.verdict.checked_at_ms):
        yield "The time since the first good verdict is another."


def _work(machine: MachineRecord, intervals: Sequence[SignedInterval]) -> Iterator[str]:
    heads = {(one.interval.placement_id, one.interval.sequence): one for one in intervals}
    for work in machine.work:
        signed = heads.get((work.placement_id, work.sequence))
        if signed is None or digest(signed.interval) != work.interval_sha256:
            yield f"Nobody has the newest interval of placement {work.placement_id}."
        elif signed.interval.machine_key != machine.machine_key or not signing.verify(
            machine.machine_key, canonical_bytes(signed.interval), signed.signature
        ):
            yield f"The newest interval of placement {work.placement_id} is not the machine's."
    if machine.paid_ms != sum(work.worked_ms * max(1, work.gpus) for work in machine.work):
        yield "Its paid time is not the sum of its placements'."
    if machine.fees_microusd != sum(work.fees_microusd for work in machine.work):
        yield "Its fees are not the sum of its placements'."
