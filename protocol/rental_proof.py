"""This will define what renter, marketplace and validator say to each other in a rental's proof."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from protocol.hardware import GPUS_MOST, Bytes, Count, Text
from protocol.message import Message, Milliseconds
from protocol.signing import MachineKey
from protocol.validator import Hotkey, Measurement

#: of one way of a mailbox
LINES_MOST = 200
LINE_CHARACTERS_MOST = 1 << 19
#: a call that finds nothing new is held open so long
WAIT_S_MAX = 10


class ProofOutcome(StrEnum):
    """How a validator ended a rental's proof."""

    PASSED = "passed"
    #: an answer was not what the demanded work gives
    FAILED = "failed"
    #: the prover gave up, was late or hung up: that says nothing
    UNFINISHED = "unfinished"


class ProofAsked(Message):
    """A rental's proof that waits for a validator."""

    proof_id: UUID
    machine_id: UUID
    machine_key: MachineKey
    #: of the rental
    cpus: Count
    memory_bytes: Bytes
    #: uuid -> model of each whole GPU that it has
    gpus: Annotated[dict[Text, Text], Field(max_length=GPUS_MOST)] = Field(default_factory=dict)


class ProofLines(Message):
    """Lines of one way, in order; ``first`` is the number of the first of them, from 0."""

    first: Annotated[int, Field(ge=0, le=LINES_MOST)] = 0
    lines: Annotated[
        tuple[Annotated[str, Field(max_length=LINE_CHARACTERS_MOST)], ...],
        Field(max_length=LINES_MOST),
    ] = ()
    #: no more will come
    ended: bool = False


class RentalProofReport(Message):
    """What one validator found in one rental. Signed with its hotkey (sr25519)."""

    version: Literal[1] = 1
    validator_hotkey: Hotkey
    proof_id: UUID
    machine_id: UUID
    machine_key: MachineKey
    outcome: ProofOutcome
    #: why it did not pass, one sentence; empty: it did
    detail: Annotated[str, Field(max_length=300)] = ""
    measurement: Measurement | None = None
    checked_at_ms: Milliseconds


class SignedRentalProofReport(Message):
    report: RentalProofReport
    #: sr25519 over canonical_bytes(report), hex
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
