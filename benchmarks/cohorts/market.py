"""This will play a market of miners, epoch by epoch, on the rules that validators use.

Whether a machine is verified follows from ``validator.domain.verdict`` and ``conviction``, points
from ``scoring`` and emission from ``weights``. Only demand, measurements and luck are made up, all
from one seed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from random import Random
from uuid import UUID

from benchmarks.cohorts.behaviour import (
    CARD,
    FEE_PPM,
    HARDWARE_HOUR_USD,
    LEAVES,
    PRICE_HOUR_USD,
    TAKES,
    Behaviour,
)
from protocol.hardware import Gpu, Hardware
from protocol.validator import (
    TOGETHER_MOST,
    CardFigures,
    EpochRecord,
    GpuMeasurement,
    GpuProof,
    MachineRecord,
    MeasuredLook,
    Measurement,
    ProvenTogether,
    Target,
    VerdictState,
)
from validator.domain import conviction
from validator.domain.gpu_specs import Figures, reference
from validator.domain.scoring import score
from validator.domain.verdict import Look, Outcome, decide
from validator.domain.weights import share_by_hotkey

EPOCH_MS = 4_320_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
DAYS = 30
EPOCHS = DAYS * DAY_MS // EPOCH_MS
LOOKS_KEPT = 10
#: parts of the work of a look that are checked. Source: gpu_verification.md 2.6
CHECKS = 24
PPM = 1_000_000
CARDS_MOST = 16
GIB = 1 << 30
#: a miner that rents all of its machine lets the proof in before its last one is too old
PROVEN_AGAIN_MS = 2 * DAY_MS


@dataclass(slots=True)
class Machine:
    machine_id: UUID
    miner: str
    behaviour: Behaviour
    hardware: Hardware
    looks: tuple[MeasuredLook, ...] = ()
    proven_at_ms: dict[str, int] = field(default_factory=dict)
    #: two cards -> when one look proved both last
    together_at_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    first_verified_ms: int | None = None
    failures: conviction.Failures = conviction.NONE
    state: VerdictState | None = None
    up_ms: int = 0
    #: uuids of its cards
    rented: set[str] = field(default_factory=set)
    fees_microusd: int = 0
    #: the place of its first card among its miner's: strangers ask for the same ones of each miner
    first_card: int = 0


@dataclass(frozen=True, slots=True)
class Luck:
    """What chance brings everybody alike in one epoch, so that only behaviour differs."""

    look_at_ms: int
    #: what a good card does of what is expected: heat and neighbours take a little
    speed_ppm: int
    #: by a card's place: a stranger's wish to come or to leave
    wishes: tuple[float, ...]
    #: whether the share of the work that was skipped escapes the checks
    escape: float

    @classmethod
    def of(cls, chance: Random) -> "Luck":
        """Return the luck of the next epoch."""
        return cls(
            look_at_ms=chance.randrange(EPOCH_MS),
            speed_ppm=chance.randrange(900_000, PPM),
            wishes=tuple(chance.random() for _ in range(CARDS_MOST)),
            escape=chance.random(),
        )


@dataclass(slots=True)
class Account:
    """What a miner earned and paid so far, USD."""

    emission: float = 0.0
    rent: float = 0.0
    hardware: float = 0.0
    fees: float = 0.0
    #: emission and rent over hardware and fees, at the end of each day
    daily: list[float] = field(default_factory=list)

    @property
    def per_cost(self) -> float:
        """What one dollar of cost earned."""
        return (self.emission + self.rent) / (self.hardware + self.fees)


def play(
    behaviours: Sequence[Behaviour], *, seed: int, paid_out: float = 1.0
) -> dict[str, Account]:
    """Return what each miner earned in thirty days, by the name of its behaviour.

    ``paid_out``: what the subnet pays all miners, over what the hardware of all costs to run.
    """
    chance = Random(seed)
    machines = [
        _machine(number * 100 + part, one, first_card=part * one.shown)
        for number, one in enumerate(behaviours, start=1)
        for part in range(one.machines)
    ]
    accounts = {one.name: Account() for one in behaviours}
    emission_usd = (
        paid_out * HARDWARE_HOUR_USD * EPOCH_MS / HOUR_MS * sum(one.owned for one in behaviours)
    )
    for epoch in range(EPOCHS):
        start_ms, luck = epoch * EPOCH_MS, Luck.of(chance)
        for machine in machines:
            _live(machine, accounts[machine.miner], start_ms, luck)
        record = _record(machines, epoch, start_ms)
        for miner, share in share_by_hotkey(score(record)).items():
            accounts[miner].emission += emission_usd * float(share)
        if (start_ms + EPOCH_MS) % DAY_MS == 0:
            for account in accounts.values():
                account.daily.append(account.per_cost)
    return accounts


def _machine(number: int, behaviour: Behaviour, first_card: int) -> Machine:
    told = reference(behaviour.model) or _really(behaviour)
    gpus = tuple(
        Gpu(
            uuid=f"GPU-{number}-{index}",
            model=behaviour.model,
            vram_bytes=told.vram_bytes,
            driver="570",
        )
        for index in range(behaviour.shown)
    )
    hardware = Hardware(
        hostname="box",
        os="Debian 12",
        kernel="6.1",
        boot_id="1",
        cpu_model="EPYC",
        cpus=64,
        memory_bytes=512 * GIB,
        disk_bytes=4096 * GIB,
        docker_version="26",
        storage_driver="overlay2",
        gpus=gpus,
    )
    return Machine(UUID(int=number), behaviour.name, behaviour, hardware, first_card=first_card)


def _really(behaviour: Behaviour) -> Figures:
    """Return what one shown card does when nothing else uses it."""
    card = reference(CARD)
    if card is None:
        raise ValueError(f"{CARD} is not in the table.")
    return card.share(behaviour.part_ppm)


def _live(machine: Machine, account: Account, start_ms: int, luck: Luck) -> None:
    """Play one epoch of one machine: its demand, its costs, and one look at a random moment."""
    behaviour = machine.behaviour
    is_up = start_ms % DAY_MS < behaviour.hours_up * HOUR_MS
    hours = EPOCH_MS / HOUR_MS
    machine.up_ms += EPOCH_MS if is_up else 0
    _rent_out(machine, start_ms, is_up=is_up, luck=luck)
    cards = len(machine.rented) * behaviour.part_ppm / PPM
    own = behaviour.own_price_usd
    price = PRICE_HOUR_USD if own is None else own
    fee = cards * hours * price * FEE_PPM / PPM
    machine.fees_microusd = int(fee * PPM)
    if own is None:
        account.rent += cards * hours * price - fee
    else:
        account.fees += fee
    if is_up:
        owned = behaviour.owned / behaviour.machines
        account.hardware += owned * HARDWARE_HOUR_USD * hours
    _look(machine, start_ms + luck.look_at_ms, is_up=is_up, luck=luck)


def _rent_out(machine: Machine, start_ms: int, *, is_up: bool, luck: Luck) -> None:
    """Let renters leave and come: only to a verified machine that is there."""
    uuids = [gpu.uuid for gpu in machine.hardware.gpus]
    if not is_up:
        machine.rented = set()
        return
    listed = machine.state is VerdictState.VERIFIED
    if machine.behaviour.own_price_usd is None:
        wishes = dict(zip(uuids, luck.wishes[machine.first_card :], strict=False))
        stay = {uuid for uuid in machine.rented if wishes[uuid] >= LEAVES}
        come = {uuid for uuid in uuids if uuid not in machine.rented and wishes[uuid] < TAKES}
        machine.rented = stay | (come if listed else set())
        return
    oldest_ms = min((machine.proven_at_ms.get(uuid, 0) for uuid in uuids), default=0)
    lets_in = start_ms - oldest_ms > PROVEN_AGAIN_MS
    machine.rented = set(uuids) if listed and not lets_in else set()


def _look(machine: Machine, now_ms: int, *, is_up: bool, luck: Luck) -> None:
    # In truth it is looked at every ten minutes, so whoever is away loses its verdict sooner.
    look = _seen(machine, luck) if is_up else Look(Outcome.SILENT)
    target = Target(
        machine_id=machine.machine_id,
        machine_key="ab" * 32,
        address="192.0.2.1",
        control_port=7000,
        claimed=machine.hardware,
        busy=bool(machine.rented),
        cpus_free=4,
        memory_bytes_free=8 * GIB,
        gpus_rented=tuple(sorted(machine.rented)),
        gpus_proven_at_ms=dict(machine.proven_at_ms),
        proven_at_ms=max(machine.proven_at_ms.values(), default=None),
    )
    machine.failures = conviction.count(machine.failures, look, duplicate=False, now_ms=now_ms)
    verdict = decide(hotkey="validator", target=target, look=look, now_ms=now_ms)
    machine.state = conviction.sentence(verdict, machine.failures).state
    if machine.state is VerdictState.VERIFIED and machine.first_verified_ms is None:
        machine.first_verified_ms = now_ms
    if look.measurement is not None and look.measurement.gpus:
        if machine.state is VerdictState.VERIFIED:
            uuids = sorted(gpu.uuid for gpu in look.measurement.gpus)
            machine.proven_at_ms |= dict.fromkeys(uuids, now_ms)
            machine.together_at_ms |= dict.fromkeys(combinations(uuids, 2), now_ms)
        machine.looks = (*machine.looks, _kept(look.measurement.gpus, now_ms))[-LOOKS_KEPT:]


def _seen(machine: Machine, luck: Luck) -> Look:
    behaviour = machine.behaviour
    skipped = behaviour.skips_ppm / PPM
    if skipped and luck.escape >= (1 - skipped) ** CHECKS:
        return Look(Outcome.PROOF_WRONG, hardware=machine.hardware)
    really = _really(behaviour)
    shown = really.share(luck.speed_ppm)
    measured = tuple(
        GpuMeasurement(
            index=index,
            uuid=gpu.uuid,
            name=gpu.model,
            vram_bytes=gpu.vram_bytes,
            vram_bytes_proven=really.vram_bytes * 95 // 100,
            bandwidth_mb_s=shown.bandwidth_bytes_s // 10**6,
            int8_gops=shown.int8_ops_s // 10**9,
        )
        for index, gpu in enumerate(machine.hardware.gpus)
        if gpu.uuid not in machine.rented
    )
    cpus = Measurement(cpus=4, cpu_hash_rate=16_000_000, memory_step_rate=2_000_000)
    return Look(
        Outcome.SEEN,
        hardware=machine.hardware,
        measurement=cpus.model_copy(update={"gpus": measured}),
    )


def _kept(gpus: Sequence[GpuMeasurement], now_ms: int) -> MeasuredLook:
    return MeasuredLook(
        verdict_sha256="00" * 32,
        checked_at_ms=now_ms,
        card=CardFigures(
            vram_bytes=min(gpu.vram_bytes_proven for gpu in gpus),
            bandwidth_mb_s=min(gpu.bandwidth_mb_s for gpu in gpus),
            int8_gops=min(gpu.int8_gops for gpu in gpus),
        ),
    )


def _record(machines: Sequence[Machine], epoch: int, start_ms: int) -> EpochRecord:
    end_ms = start_ms + EPOCH_MS
    return EpochRecord(
        epoch=epoch,
        starts_at_ms=start_ms,
        ends_at_ms=end_ms,
        as_of_ms=end_ms,
        machines=tuple(_inputs(machine, end_ms) for machine in machines),
    )


def _together(machine: Machine) -> tuple[ProvenTogether, ...]:
    uuids: dict[int, set[str]] = defaultdict(set)
    for pair, at_ms in machine.together_at_ms.items():
        uuids[at_ms] |= set(pair)
    best = sorted(uuids.items(), key=lambda one: (-len(one[1]), -one[0]))
    return tuple(
        ProvenTogether(
            verdict_sha256=f"{at_ms:064x}", checked_at_ms=at_ms, uuids=tuple(sorted(them))
        )
        for at_ms, them in best[:TOGETHER_MOST]
    )


def _inputs(machine: Machine, end_ms: int) -> MachineRecord:
    first_ms, gpus = machine.first_verified_ms, len(machine.hardware.gpus)
    return MachineRecord(
        machine_id=machine.machine_id,
        machine_key="ab" * 32,
        miner_hotkey=machine.miner,
        gpu_model=machine.behaviour.model,
        gpus=gpus,
        looks=machine.looks,
        gpu_proofs=tuple(
            GpuProof(uuid=uuid, verdict_sha256="00" * 32, checked_at_ms=at_ms)
            for uuid, at_ms in sorted(machine.proven_at_ms.items())
        ),
        together=_together(machine),
        uptime_ppm=int(Fraction(machine.up_ms * PPM, end_ms)),
        verified_for_ms=0 if first_ms is None else end_ms - first_ms,
        has_valid_verdict=machine.state is VerdictState.VERIFIED,
        paid_ms=len(machine.rented) * EPOCH_MS,
        epoch_ms=gpus * EPOCH_MS,
        fees_microusd=machine.fees_microusd,
    )
