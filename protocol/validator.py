"""This will define what a validator, the marketplace and a machine's SSH door say to each other."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from protocol.agent import Problem
from protocol.hardware import Bytes, Count, Hardware
from protocol.message import Message, Milliseconds
from protocol.signing import MachineKey
from protocol.workload import Port

#: the only words that the agent's SSH door accepts as a command
COMMAND_FACTS = "facts"
COMMAND_PROOF = "proof"
COMMAND_PING = "ping"
COMMANDS = (COMMAND_FACTS, COMMAND_PROOF, COMMAND_PING)
#: the SSH user name of a validator
SSH_USER = "validator"

Epoch = Annotated[int, Field(ge=0, lt=1 << 31)]
#: what one machine does in a second
Rate = Annotated[int, Field(ge=0, le=1 << 40)]
#: in millionths, or counted in millionths
Micro = Annotated[int, Field(ge=0, le=1 << 50)]
Hotkey = Annotated[str, Field(max_length=64)]


class VerdictState(StrEnum):
    VERIFIED = "verified"
    DEGRADED = "degraded"
    SUSPENDED = "suspended"


class Target(Message):
    """A machine that the validator should look at."""

    machine_id: UUID
    machine_key: MachineKey
    address: str
    control_port: Port
    #: the owner's hotkey (ss58), empty where the host is not on chain
    miner_hotkey: str = ""
    claimed: Hardware
    #: the renters' containers use part of the machine now
    busy: bool = False
    #: cpus and bytes that no placement holds now: the proof may use these
    cpus_free: int
    memory_bytes_free: int
    #: when a proof of it passed last, by any admitted validator; None: never
    proven_at_ms: int | None = None


class Measurement(Message):
    """What the proof measured, in integers. None: not measured."""

    cpus: Count = 0
    #: PBKDF2-SHA256 iterations per second over all cores, on the validator's clock
    cpu_hash_rate: Rate = 0
    #: bytes shown to be resident
    memory_bytes_proven: Bytes = 0
    #: dependent memory steps per second
    memory_step_rate: Rate = 0
    proof_ms: Milliseconds = 0


class Verdict(Message):
    """What one validator concluded about one machine. Signed with its hotkey (sr25519)."""

    version: Literal[1] = 1
    validator_hotkey: Hotkey
    machine_id: UUID
    machine_key: MachineKey
    state: VerdictState
    reasons: Annotated[tuple[Problem, ...], Field(max_length=100)] = ()
    hardware: Hardware | None = None
    measurement: Measurement | None = None
    checked_at_ms: Milliseconds
    expires_at_ms: Milliseconds


class SignedVerdict(Message):
    verdict: Verdict
    #: sr25519 over canonical_bytes(verdict), hex
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class MachineRecord(Message):
    """The public inputs of one machine's score in one epoch. Times in ms, shares in millionths."""

    machine_id: UUID
    miner_hotkey: str
    gpu_model: str
    gpus: int
    #: measured rate / reference rate, in millionths; None: never proven
    efficiency_ppm: int | None
    #: verified minutes up / minutes in the window, in millionths
    uptime_ppm: int
    #: ms since first verified
    verified_for_ms: int
    has_valid_verdict: bool
    #: paid GPU-milliseconds (CPU machines: machine-milliseconds) delivered in the epoch
    paid_ms: int
    #: what paid_ms is a share of
    epoch_ms: int
    #: fees really charged in the epoch, micro-USD
    fees_microusd: int


class EpochRecord(Message):
    """All the public inputs of one epoch."""

    epoch: Epoch
    starts_at_ms: int
    ends_at_ms: int
    machines: tuple[MachineRecord, ...]


class MachineScore(Message):
    machine_id: UUID
    miner_hotkey: Hotkey
    points_micro: Micro
    #: each factor in millionths, by name: capacity, efficiency, uptime, organic, refusal
    factors_ppm: Annotated[dict[Annotated[str, Field(max_length=40)], Micro], Field(max_length=50)]


class ScoreReport(Message):
    version: Literal[1] = 1
    validator_hotkey: Hotkey
    epoch: Epoch
    scores: tuple[MachineScore, ...]


class SignedScoreReport(Message):
    report: ScoreReport
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
