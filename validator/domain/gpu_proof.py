"""This will say how much work a GPU is asked for, which parts are looked at, and what it measures.

Source of every constant, where none is named: gpu_verification.md 2.3 to 2.9.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from protocol.validator import GpuMeasurement
from validator.domain import gpu_specs

MEGA, GIGA, PPM = 10**6, 10**9, 1_000_000

#: what the prover scans as one leaf, by so many threads of one fold each
REGION_BYTES, REGION_THREADS = 262_144, 256
#: entries of a product that make one leaf, and one fold of it, along each side
BLOCK, PATCH = 128, 16
PATCHES = (BLOCK // PATCH) ** 2
FOLD_BYTES = 8
#: SHA-256 compressions for 32 filled bytes and one iteration
COMPRESSIONS = 2
#: scans before and after the multiplications
BEFORE, AFTER = 0, 1
REGIONS_MAX = 1 << 22
#: A machine can delay its pings to look faster. So much more is believed of a scan of a second.
RTT_S_MAX = 0.1


@dataclass(frozen=True, slots=True)
class GpuRules:
    """Every choice of a proof. A test brings tiny ones."""

    rows: int = 16_384
    columns: int = 16_384
    depth: int = 8_192
    #: a card with less memory than this multiplies a quarter at a time
    small_vram_bytes: int = 16 * GIGA
    #: of PBKDF2 for each line of filled memory: dear enough that nobody makes a line twice
    iterations: int = 8
    #: of all memory, that is to be filled; what stays free at least
    filled_ppm: int = 940_000
    spare_bytes: int = 96 << 20
    #: what an honest card takes, about
    scan_s: float = 1.0
    multiply_s: float = 3.0
    #: honest cards reach 85 % of their bandwidth and 60 % of their int8, where 70 % and 50 % are
    #: asked for
    above_required_ppm: int = 1_210_000
    passes_min: int = 4
    passes_max: int = 64
    products_min: int = 2
    products_max: int = 4_096
    #: random leaves looked at of each kind
    checks: int = 24
    #: of scans, where a card is seen for the first time: a small part of memory that is never read
    #: must show at once
    first_scan_checks: int = 64
    pings: int = 7
    #: seconds until an answer is late; what is slower than asked for is told by its own rate
    set_up_s_max: float = 90.0
    work_s_max: float = 60.0
    open_s_max: float = 90.0


RULES = GpuRules()


@dataclass(frozen=True, slots=True)
class Device:
    """What the prover says that CUDA shows: claims."""

    index: int
    uuid: str
    name: str
    pci: str
    #: ten times the major number plus the minor
    capability: int
    sms: int
    bus_bits: int
    l2_bytes: int
    vram_bytes: int


@dataclass(frozen=True, slots=True)
class GpuTask:
    """The work demanded of one device."""

    device: Device
    #: whole readings of the memory before and after the multiplications
    passes: int
    passes_after: int
    products: int
    scan_checks: int
    product_checks: int

    def passes_of(self, slot: int) -> int:
        """Return how often the memory is read in the scan before (0) or after (1)."""
        return self.passes if slot == BEFORE else self.passes_after


@dataclass(frozen=True, slots=True)
class GpuPlan:
    """The work demanded of all devices of a machine in one proof."""

    tasks: tuple[GpuTask, ...]
    rows: int
    columns: int
    depth: int
    rules: GpuRules = RULES

    @property
    def blocks(self) -> int:
        """How many leaves one product has."""
        return (self.rows // BLOCK) * (self.columns // BLOCK)


@dataclass(frozen=True, slots=True)
class GpuTimings:
    """Seconds from each demand to this device's answer, on the validator's own clock."""

    fill_s: float
    scan_s: float
    multiply_s: float
    scan_after_s: float
    #: the least of the pings, subtracted from each
    rtt_s: float


@dataclass(frozen=True, slots=True)
class Openings:
    """The leaves of one device that are looked at."""

    #: (scan, pass, region)
    scans: tuple[tuple[int, int, int], ...]
    #: product x blocks + block
    products: tuple[int, ...]


def plan(
    devices: Sequence[Device],
    *,
    models: Mapping[str, str],
    proven_before: bool,
    rules: GpuRules = RULES,
) -> GpuPlan:
    """Return the work for the devices that ``models`` names by uuid, with the listed model."""
    wanted = tuple(device for device in devices if device.uuid in models)
    least = min((device.vram_bytes for device in wanted), default=0)
    halved = 2 if wanted and least < rules.small_vram_bytes and rules.rows >= 2 * BLOCK else 1
    rows, columns = rules.rows // halved, rules.columns // halved
    operations = 2 * rows * columns * rules.depth
    return GpuPlan(
        tasks=tuple(
            _task(device, models[device.uuid], operations, rules, proven_before=proven_before)
            for device in wanted
        ),
        rows=rows,
        columns=columns,
        depth=rules.depth,
        rules=rules,
    )


def _task(
    device: Device, model: str, operations: int, rules: GpuRules, *, proven_before: bool
) -> GpuTask:
    required = gpu_specs.required(model, vram_bytes=device.vram_bytes)
    above = rules.above_required_ppm / PPM
    filled_bytes = max(1, device.vram_bytes * rules.filled_ppm // PPM)
    passes = round(rules.scan_s * above * required.bandwidth_bytes_s / filled_bytes)
    passes = min(max(passes, rules.passes_min), rules.passes_max)
    products = round(rules.multiply_s * above * required.int8_ops_s / operations)
    return GpuTask(
        device=device,
        passes=passes,
        passes_after=max(2, passes // 8),
        products=min(max(products, rules.products_min), rules.products_max),
        scan_checks=rules.checks if proven_before else rules.first_scan_checks,
        product_checks=rules.checks,
    )


def draw(task: GpuTask, *, regions: int, blocks: int, below: Callable[[int], int]) -> Openings:
    """Return random leaves to look at: a third of the scans' after the multiplications."""
    scans = []
    for number in range(task.scan_checks):
        slot = BEFORE if number % 3 else AFTER
        scans.append((slot, below(task.passes_of(slot)), below(regions)))
    products = [below(task.products * blocks) for _ in range(task.product_checks)]
    # In order, so that a machine reads its memory once for all leaves of one pass.
    return Openings(scans=tuple(sorted(scans)), products=tuple(sorted(products)))


def measure(task: GpuTask, timings: GpuTimings, *, regions: int, work: GpuPlan) -> GpuMeasurement:
    """Return the rates that the verified answers prove, rounded down to integers."""
    filled_bytes = regions * REGION_BYTES
    operations = 2 * work.rows * work.columns * work.depth * task.products
    compressions = filled_bytes // 32 * COMPRESSIONS * work.rules.iterations
    read_bytes = filled_bytes * task.passes
    total_s = timings.fill_s + timings.scan_s + timings.multiply_s + timings.scan_after_s
    device = task.device
    return GpuMeasurement(
        index=device.index,
        uuid=device.uuid,
        name=device.name,
        vram_bytes=device.vram_bytes,
        vram_bytes_proven=filled_bytes,
        bandwidth_mb_s=int(read_bytes / _net(timings.scan_s, timings.rtt_s) / MEGA),
        int8_gops=int(operations / _net(timings.multiply_s, timings.rtt_s) / GIGA),
        hash_mega_s=int(compressions / _net(timings.fill_s, timings.rtt_s) / MEGA),
        proof_ms=int(total_s * 1000),
    )


def power_of_two(count: int) -> int:
    """Return the least power of two that is not below ``count``."""
    return 1 << max(0, count - 1).bit_length()


def depth_of(leaves: int) -> int:
    """Return how many siblings a leaf of a tree of so many leaves has."""
    return power_of_two(leaves).bit_length() - 1


def chance_to_pass(skipped_share: float, checks: int) -> float:
    """Return how likely it is that none of the checks meets the share of work that was skipped."""
    return (1.0 - skipped_share) ** checks


def share_to_skip(true_rate: float, asked_rate: float) -> float:
    """Return the share of work that a card must skip to seem as fast as is asked."""
    return max(0.0, 1.0 - true_rate / asked_rate)


def slowdown(missing_share: float, *, bandwidth_bytes_s: float, made_bytes_s: float) -> float:
    """Return how much longer a scan takes where a share of the memory is not there.

    What is missing is made again, or fetched, at ``made_bytes_s`` while the rest is read.
    """
    kept_s = (1.0 - missing_share) / bandwidth_bytes_s
    return max(kept_s, missing_share / made_bytes_s) * bandwidth_bytes_s


def _net(elapsed_s: float, rtt_s: float) -> float:
    """Subtract the round trip, but never more than half: the machine controls its pings."""
    return max(elapsed_s - min(rtt_s, RTT_S_MAX), elapsed_s / 2, 1e-6)
