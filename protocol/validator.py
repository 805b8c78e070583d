"""This will define what a validator, the marketplace and a machine's SSH door say to each other."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from protocol.agent import Problem
from protocol.facts import Marks
from protocol.hardware import GPUS_MOST, Bytes, Count, Hardware, Text
from protocol.message import Counter, Message, Milliseconds, each_once
from protocol.signing import Digest, MachineKey
from protocol.workload import PlacementKind, Port

#: the only words that the agent's SSH door accepts as a command
COMMAND_FACTS = "facts"
COMMAND_PROOF = "proof"
COMMAND_PING = "ping"
COMMANDS = (COMMAND_FACTS, COMMAND_PROOF, COMMAND_PING)
#: the SSH user name of a validator
SSH_USER = "validator"

#: in one verdict: each kind once
FINDINGS_MOST = 40
#: verdicts handed in by one request
VERDICTS_MOST = 64
#: machines named in one request for targets: its path stays below the 4,094 bytes of most servers
TARGETS_MOST = 64

Epoch = Annotated[int, Field(ge=0, lt=1 << 31)]
#: measurements of one machine that enter its score
LOOKS_MOST = 10
#: verdicts that a record names as they proved several cards: eight cards count, in 28 pairs
TOGETHER_MOST = 28
#: what one machine does in a second, in the unit that the field names
Rate = Annotated[int, Field(ge=0, le=1 << 40)]
#: in millionths, or counted in millionths
Micro = Annotated[int, Field(ge=0, le=1 << 50)]
Hotkey = Annotated[str, Field(max_length=64)]


class VerdictState(StrEnum):
    """What a validator says of a machine, from the best to the worst; without a word it is new."""

    VERIFIED = "verified"
    #: it is there, but something is missing; rentals go on, new ones do not begin
    DEGRADED = "degraded"
    #: what it says or does contradicts itself
    SUSPENDED = "suspended"
    #: it failed demands again and again: never said for facts alone, never for silence
    BANNED = "banned"


class LookKind(StrEnum):
    """Why a validator looked at a machine."""

    #: it never did before
    ONBOARDING = "onboarding"
    #: a proof, at a time that nobody can foretell
    PERIODIC = "periodic"
    #: a proof, as the machine is no longer what was proven
    CHANGE = "change"
    #: a proof, as the marketplace asks for a fresh one
    DEMANDED = "demanded"
    #: a proof in the same instant as other machines
    TOGETHER = "together"
    #: facts alone, as a rental began
    RENTAL = "rental"
    #: facts alone, between two proofs
    LIGHT = "light"


#: looks that demand no proof
WITHOUT_PROOF = frozenset({LookKind.RENTAL, LookKind.LIGHT})


class Together(Message):
    """Machines that show the same card, board, disk or address: proven in one instant or not."""

    group: UUID
    #: only proofs begun since then count
    since_ms: Milliseconds


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
    #: uuids of the GPUs, or parts of one, that renters hold now: the proof leaves them be
    gpus_rented: Annotated[tuple[Text, ...], Field(max_length=GPUS_MOST)] = ()
    #: uuid -> when a proof of that GPU passed last; one that never passed is left out
    gpus_proven_at_ms: Annotated[dict[Text, int], Field(max_length=GPUS_MOST)] = Field(
        default_factory=dict
    )
    #: when a proof of it passed last, by any admitted validator; None: never
    proven_at_ms: int | None = None
    #: when the newest rental that runs there began; None: none does
    rented_at_ms: int | None = None
    #: a proof begun since then is wanted, and no failure before it counts; None: neither
    fresh_since_ms: int | None = None
    #: None: it is like no other machine
    together: Together | None = None
    #: the last word of who asks was a good one, also where it has expired, and neither a boot, nor
    #: another processor, nor a granted appeal came since
    vouched: bool = False


class GpuMeasurement(Message):
    """What the proof-of-GPU measured of one device, on the validator's clock, in integers."""

    #: as CUDA counts them on the machine, and what CUDA says of this one: claims
    index: Annotated[int, Field(ge=0, lt=GPUS_MOST)]
    uuid: Text
    name: Text
    #: bytes that CUDA tells of
    vram_bytes: Bytes
    #: bytes shown to be filled all the time
    vram_bytes_proven: Bytes
    #: bytes read by the scans in a second, in megabytes (10^6)
    bandwidth_mb_s: Rate
    #: dense int8 operations a second, in 10^9
    int8_gops: Rate
    #: SHA-256 compressions a second while filling, in 10^6
    hash_mega_s: Rate = 0
    proof_ms: Milliseconds = 0


class Measurement(Message):
    """What the proof measured, in integers. 0 or empty: not measured."""

    cpus: Count = 0
    #: PBKDF2-SHA256 iterations per second over all cores, on the validator's clock
    cpu_hash_rate: Rate = 0
    #: bytes shown to be resident
    memory_bytes_proven: Bytes = 0
    #: dependent memory steps per second
    memory_step_rate: Rate = 0
    proof_ms: Milliseconds = 0
    #: bytes written to the disk and made lasting, in megabytes (10^6) a second
    disk_write_mb_s: Rate = 0
    #: blocks of 4 KiB read from random places of it in a second
    disk_reads_s: Rate = 0
    #: to and from the machine through its SSH door, in megabytes (10^6) a second: it has no less
    network_down_mb_s: Rate = 0
    network_up_mb_s: Rate = 0
    gpus: Annotated[tuple[GpuMeasurement, ...], Field(max_length=GPUS_MOST), each_once("uuid")] = ()


class FindingState(StrEnum):
    """How what a machine's sources say goes together."""

    OK = "ok"
    #: worth a look; changes nothing
    ODD = "odd"
    #: two sources cannot both be true
    CONTRADICTION = "contradiction"
    #: too few sources told anything
    UNKNOWN = "unknown"


class Finding(Message):
    """What comparing the machine's sources with each other and with the proof has shown."""

    #: of ``docs/verification.md``
    code: Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")]
    state: FindingState
    #: one sentence that names both sides
    message: Annotated[str, Field(max_length=500)]
    #: what the host does about it; empty: nothing is to be done
    remedy: Annotated[str, Field(max_length=500)] = ""


class Verdict(Message):
    """What one validator concluded about one machine. Signed with its hotkey (sr25519)."""

    version: Literal[1] = 1
    validator_hotkey: Hotkey
    machine_id: UUID
    machine_key: MachineKey
    state: VerdictState
    look: LookKind = LookKind.PERIODIC
    #: of the machines that were proven in one instant; None: it was proven by itself
    group: UUID | None = None
    reasons: Annotated[tuple[Problem, ...], Field(max_length=100)] = ()
    hardware: Hardware | None = None
    measurement: Measurement | None = None
    #: whatever is odd or contradicts itself
    findings: Annotated[
        tuple[Finding, ...], Field(max_length=FINDINGS_MOST), each_once("code")
    ] = ()
    marks: Marks | None = None
    checked_at_ms: Milliseconds
    expires_at_ms: Milliseconds

    def gpus_proven(self) -> tuple[str, ...]:
        """Return the uuid of each GPU that passed a proof; a part of one does with its card."""
        if self.state is not VerdictState.VERIFIED or not self.measurement or not self.hardware:
            return ()
        cards = {one.uuid for one in self.measurement.gpus}
        return tuple(gpu.uuid for gpu in self.hardware.gpus if (gpu.card or gpu.uuid) in cards)

    def cards_proven(self) -> tuple[str, ...]:
        """Return one uuid of each card that passed, at once with the others: of its first part."""
        proven = set(self.gpus_proven())
        first: dict[str, str] = {}
        for gpu in self.hardware.gpus if self.hardware else ():
            if gpu.uuid in proven:
                first.setdefault(gpu.card or gpu.uuid, gpu.uuid)
        return tuple(first.values())


class SignedVerdict(Message):
    verdict: Verdict
    #: sr25519 over canonical_bytes(verdict), hex
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class SignedVerdicts(Message):
    """Verdicts handed in together; each is taken or refused by itself."""

    verdicts: Annotated[tuple[SignedVerdict, ...], Field(min_length=1, max_length=VERDICTS_MOST)]


class RefusedVerdict(Message):
    """Why one of several verdicts was not taken."""

    #: its place among those handed in, from 0
    number: Count
    status: int
    code: str
    detail: str


class VerdictsTaken(Message):
    """What became of verdicts that were handed in together."""

    #: how many are kept now, those that were kept before among them
    recorded: Count
    refused: tuple[RefusedVerdict, ...]


class CardFigures(Message):
    """What a proof measured of the least of a machine's GPUs, each figure by itself."""

    #: shown to be filled all the time
    vram_bytes: Bytes
    #: 10^6 bytes a second
    bandwidth_mb_s: Rate
    #: 10^9 dense int8 operations a second
    int8_gops: Rate


class MeasuredLook(Message):
    """What one signed verdict measured, as far as it enters a score."""

    #: of canonical_bytes(SignedVerdict)
    verdict_sha256: Digest
    checked_at_ms: Milliseconds
    #: PBKDF2-SHA256 iterations per second of one CPU; 0: not measured
    hash_rate_per_cpu: Rate = 0
    #: None: no GPU was measured
    card: CardFigures | None = None


class GpuProof(Message):
    """The newest signed verdict by which one GPU passed a proof."""

    uuid: Text
    verdict_sha256: Digest
    checked_at_ms: Milliseconds


class ProvenTogether(Message):
    """A signed verdict by which several cards passed at once, so are not one card."""

    verdict_sha256: Digest
    checked_at_ms: Milliseconds
    #: one of each card
    uuids: Annotated[tuple[Text, ...], Field(min_length=2, max_length=GPUS_MOST)]


class CountedWord(Message):
    """What one validator's signed verdict counts as, and how much, when several make one state."""

    verdict_sha256: Digest
    stake: Annotated[int, Field(ge=0)]
    #: of the verdict, or worse where it is of other hardware than is claimed now
    state: VerdictState


class Work(Message):
    """What one placement delivered for money in one epoch, and the signed interval it ends with."""

    placement_id: UUID
    kind: PlacementKind
    gpus: Count
    #: of the placement, once however many GPUs it has
    worked_ms: Milliseconds
    fees_microusd: Micro
    #: the newest interval that counts; by its chain its signature holds for all before it
    sequence: Counter
    interval_sha256: Digest


class MachineRecord(Message):
    """The public inputs of one machine's score in one epoch. Times in ms, shares in millionths."""

    machine_id: UUID
    machine_key: MachineKey
    miner_hotkey: str
    gpu_model: str
    gpus: int
    #: the newest measurements, newest last
    looks: Annotated[tuple[MeasuredLook, ...], Field(max_length=LOOKS_MOST)] = ()
    #: of each of its GPUs that ever passed a proof
    gpu_proofs: Annotated[tuple[GpuProof, ...], Field(max_length=GPUS_MOST), each_once("uuid")] = ()
    #: of the last 30 days, what proved most cards first
    together: Annotated[
        tuple[ProvenTogether, ...], Field(max_length=TOGETHER_MOST), each_once("verdict_sha256")
    ] = ()
    #: minutes up / minutes in the window, in millionths
    uptime_ppm: int
    #: ms since first verified
    verified_for_ms: int
    has_valid_verdict: bool
    #: when the newest verdict of "verified" ended or will; 0: there never was one
    verified_until_ms: int = 0
    #: nobody's word stands now, and the last one was "verified" and of what is claimed now
    is_unknown: bool = False
    #: a ban was spoken and no appeal was granted since
    is_banned: bool = False
    #: the words that stand, one of each validator, that has_valid_verdict follows from
    words: tuple[CountedWord, ...] = ()
    #: the verdict that verified_for_ms counts from; empty: there is none
    first_verdict_sha256: Annotated[str, Field(max_length=64)] = ""
    #: when it refused what it had room for, oldest first
    refused_at_ms: tuple[Milliseconds, ...] = ()
    #: paid GPU-milliseconds (CPU machines: machine-milliseconds) delivered in the epoch
    paid_ms: int
    #: what paid_ms is a share of
    epoch_ms: int
    #: fees really charged in the epoch, micro-USD
    fees_microusd: int
    #: the placements that paid_ms and fees_microusd are the sums of
    work: tuple[Work, ...] = ()


class EpochRecord(Message):
    """All the public inputs of one epoch."""

    epoch: Epoch
    starts_at_ms: int
    ends_at_ms: int
    #: when this was put together; of an epoch that goes on, what it holds is so far
    as_of_ms: int
    machines: tuple[MachineRecord, ...]


class MachineScore(Message):
    machine_id: UUID
    miner_hotkey: Hotkey
    points_micro: Micro
    #: what its jobs come to by ComputeHorde's formula: a part of the work that points pay for
    jobs_micro: Micro = 0
    #: each factor in millionths, by name: capacity, efficiency, uptime, use, refusal; and organic
    factors_ppm: Annotated[dict[Annotated[str, Field(max_length=40)], Micro], Field(max_length=50)]


class ScoreReport(Message):
    version: Literal[1] = 1
    validator_hotkey: Hotkey
    epoch: Epoch
    #: of the closed record that was scored, so that the signature holds for it too; empty: the
    #: epoch goes on
    record_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    scores: tuple[MachineScore, ...]


class SignedScoreReport(Message):
    report: ScoreReport
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
