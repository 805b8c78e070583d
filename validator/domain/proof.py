"""This will say how much work to demand of a machine and what its answers measure."""

from dataclasses import dataclass

from protocol.validator import Measurement

PAGE_BYTES = 65_536
#: a fast CPU must not be asked for work that a slow one cannot finish in about a second per phase
HASH_ITERATIONS = 10_000
HASH_TASKS_PER_CPU = 64
PAGES_PER_CPU = 2_048
WALKS_PER_CPU = 256
WALK_STEPS = 128
CPUS_MAX = 256
#: half of what is free, so that the proof itself never makes the machine swap
MEMORY_SHARE = 2
PAGES_MIN = 16
#: a machine that delays its handshake must not gain more than this
RTT_S_MAX = 0.3


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """The work demanded in one proof. Sizes, all chosen by the validator."""

    procs: int
    hash_tasks: int
    hash_iterations: int
    pages: int
    walks: int
    walk_steps: int
    #: random openings of each commitment
    hash_checks: int = 8
    walk_checks: int = 4
    #: seconds until an answer is late: about ten times what a slow, busy honest machine needs
    answer_s_max: float = 15.0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from a demand to its answer on the validator's own clock."""

    hash_s: float
    fill_s: float
    walk_s: float
    #: of the TCP handshake, subtracted from each
    rtt_s: float


def plan(*, cpus_free: int, memory_bytes_free: int, memory_bytes_max: int) -> ProofPlan | None:
    """Return work that fits beside the machine's renters; None: it has nothing free to prove."""
    procs = min(cpus_free, CPUS_MAX)
    pages = min(memory_bytes_free // MEMORY_SHARE, memory_bytes_max) // PAGE_BYTES
    pages = min(pages, PAGES_PER_CPU * max(procs, 0))
    if procs < 1 or pages < PAGES_MIN:
        return None
    return ProofPlan(
        procs=procs,
        hash_tasks=HASH_TASKS_PER_CPU * procs,
        hash_iterations=HASH_ITERATIONS,
        pages=pages,
        walks=WALKS_PER_CPU * procs,
        walk_steps=WALK_STEPS,
    )


def measure(work: ProofPlan, timings: Timings) -> Measurement:
    """Return the rates that the verified answers prove, rounded down to integers."""
    hash_s = net_s(timings.hash_s, timings.rtt_s)
    walk_s = net_s(timings.walk_s, timings.rtt_s)
    total_s = timings.hash_s + timings.fill_s + timings.walk_s
    return Measurement(
        cpus=work.procs,
        cpu_hash_rate=int(work.hash_tasks * work.hash_iterations / hash_s),
        memory_bytes_proven=work.pages * PAGE_BYTES,
        memory_step_rate=int(work.walks * work.walk_steps / walk_s),
        proof_ms=int(total_s * 1000),
    )


def net_s(elapsed_s: float, rtt_s: float) -> float:
    """Return the seconds without the round trip, but never less than half of them.

    The machine controls its handshake.
    """
    return max(elapsed_s - min(rtt_s, RTT_S_MAX), elapsed_s / 2, 1e-6)
