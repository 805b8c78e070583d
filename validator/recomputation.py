"""This will compare what validators signed about an epoch with what its record comes to."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from protocol import hotkey
from protocol.message import canonical_bytes
from protocol.validator import MachineScore, SignedScoreReport
from validator.domain.scoring import score
from validator.domain.weights import share_by_hotkey
from validator.domain.words import counted
from validator.evidence import contradictions
from validator.published import Publications, Record


@dataclass(frozen=True, slots=True)
class Said:
    """What one validator signed about the epoch."""

    hotkey: str
    machines: int
    #: one sentence for each thing that is not as recomputed; empty: equal to the bit
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recomputation:
    epoch: int
    sha256: str
    scores: tuple[MachineScore, ...]
    #: faults of the record itself
    faults: tuple[str, ...]
    validators: tuple[Said, ...]
    #: machines whose evidence was checked; None: it was not asked for
    checked: int | None

    @property
    def holds(self) -> bool:
        """Whether everything that was published follows from the record and the evidence."""
        return not self.faults and not any(said.differences for said in self.validators)


def recompute(publications: Publications, epoch: str, *, check_evidence: bool) -> Recomputation:
    """Return what the epoch's published record comes to, compared with every signed report.

    :raises Unreadable: when something of it cannot be had.
    """
    record = publications.record(epoch)
    sha256 = hashlib.sha256(record.content).hexdigest()
    scores = score(record.epoch)
    reports = publications.reports(record.epoch.epoch)
    faults = list(_faults(record, sha256))
    if check_evidence:
        faults += _evidence_faults(publications, record)
    return Recomputation(
        epoch=record.epoch.epoch,
        sha256=sha256,
        scores=scores,
        faults=tuple(faults),
        validators=_compared(reports, scores, epoch=record.epoch.epoch, sha256=sha256),
        checked=len(record.epoch.machines) if check_evidence else None,
    )


def _faults(record: Record, sha256: str) -> Iterable[str]:
    if record.told_sha256 != sha256:
        yield "The record's bytes are not those of the published SHA-256."
    if canonical_bytes(record.epoch) != record.content:
        yield "The record is not written in its one canonical form."


def _evidence_faults(publications: Publications, record: Record) -> Iterable[str]:
    for machine in record.epoch.machines:
        found = publications.evidence(record.epoch.epoch, machine.machine_id)
        for sentence in contradictions(
            machine, found.verdicts, found.intervals, record.epoch.as_of_ms
        ):
            yield f"{machine.machine_id}: {sentence}"


def _compared(
    reports: Iterable[SignedScoreReport],
    scores: Iterable[MachineScore],
    *,
    epoch: int,
    sha256: str,
) -> tuple[Said, ...]:
    expected = {one.machine_id: one for one in scores}
    said: dict[str, dict[UUID, MachineScore]] = {}
    differences: dict[str, list[str]] = {}
    for signed in reports:
        report = signed.report
        found = differences.setdefault(report.validator_hotkey, [])
        told = said.setdefault(report.validator_hotkey, {})
        # A later report of a validator replaces what an earlier one said of the same machines.
        told.update({one.machine_id: one for one in report.scores})
        if not hotkey.verify(report.validator_hotkey, canonical_bytes(report), signed.signature):
            found.append("A report is not signed by the validator that it names.")
        if (report.epoch, report.record_sha256) != (epoch, sha256):
            found.append("A report names another record.")
    return tuple(
        Said(
            hotkey=one,
            machines=len(told),
            differences=(*differences[one], *_differences(told, expected)),
        )
        for one, told in sorted(said.items())
    )


def _differences(
    told: dict[UUID, MachineScore], expected: dict[UUID, MachineScore]
) -> Iterable[str]:
    for machine_id in sorted(expected.keys() | told.keys()):
        one, other = told.get(machine_id), expected.get(machine_id)
        if one is None:
            yield f"{machine_id}: it said nothing."
        elif other is None:
            yield f"{machine_id}: it is not in the record."
        elif one != other:
            yield (
                f"{machine_id}: it said {one.points_micro} millionths of a point; the record comes"
                f" to {other.points_micro}."
            )


def as_text(found: Recomputation) -> str:
    """Return the result as lines for people."""
    lines = [f"Epoch {found.epoch}, record {found.sha256}"]
    lines += [
        f"  {one.points_micro / 1_000_000:>14.6f} points  {one.machine_id}"
        for one in sorted(found.scores, key=lambda one: (-one.points_micro, one.machine_id))
    ]
    lines += [
        f"  {float(share):>14.6%} of all    {miner}"
        for miner, share in share_by_hotkey(found.scores).items()
    ]
    for said in found.validators:
        number = len(said.differences)
        what = counted(number, "difference") if number else "equal to the bit"
        lines.append(f"Validator {said.hotkey}, {counted(said.machines, 'machine')}: {what}")
        lines += [f"  {sentence}" for sentence in said.differences]
    if not found.validators:
        lines.append("No validator has signed scores of this record yet.")
    lines += [f"Fault: {sentence}" for sentence in found.faults]
    if found.checked is not None and not found.faults:
        lines.append(f"The evidence of {counted(found.checked, 'machine')} holds.")
    return "\n".join(lines)
