"""This will say how much of disk and network to demand, when, and what the answers' times mean."""

from dataclasses import dataclass

from validator.domain.proof import net_s
from validator.domain.schedule import PROOF_MEAN_MS

MEGABYTE = 1_000_000
MIB = 1 << 20
DAY_MS = 24 * 3_600_000
#: disk and line are measured at a machine's first proof, and then at one in so many: once a day
PROOFS_A_MEASUREMENT = max(1, DAY_MS // PROOF_MEAN_MS)


@dataclass(frozen=True, slots=True)
class SpeedPlan:
    """What is demanded. Sizes, all chosen by the validator; a test's are smaller."""

    #: written and made lasting
    disk_mib: int = 64
    #: pages read at random to begin with; a disk that is quick with these reads more
    disk_reads_few: int = 256
    disk_reads_many: int = 8192
    disk_threads: int = 8
    #: of the line, one way, in parts that fit on a line of JSON
    network_parts: int = 64
    network_part_bytes: int = 131_072
    #: seconds until each answer is late
    answer_s_max: float = 30.0
    #: the line is asked for so many parts less where they would take longer
    network_s_max: float = 10.0


@dataclass(frozen=True, slots=True)
class Speeds:
    """What was measured; 0: it was not, or the machine could not."""

    disk_write_mb_s: int = 0
    disk_reads_s: int = 0
    network_down_mb_s: int = 0
    network_up_mb_s: int = 0


PLAN = SpeedPlan()
#: below this the few reads were too quick for a round trip not to matter
FEW_READS_S = 0.2


def are_due(*, proven_before: bool, draw: int) -> bool:
    """Say whether this proof also measures: a first one, and by chance one in PROOFS_A_MEASUREMENT.

    ``draw`` is a random number below that: nobody can know when, and nothing must be remembered.
    """
    return not proven_before or draw == 0


def megabytes_s(size_bytes: int, elapsed_s: float, rtt_s: float) -> int:
    """Return the speed in 10^6 bytes a second, at least 1: it was measured."""
    return max(1, int(size_bytes / net_s(elapsed_s, rtt_s) / MEGABYTE))


def per_second(count: int, elapsed_s: float, rtt_s: float) -> int:
    """Return how many a second, at least 1: it was measured."""
    return max(1, int(count / net_s(elapsed_s, rtt_s)))


def parts_down(plan: SpeedPlan, *, up_mb_s: int) -> int:
    """Return the parts to send, no more than take ``network_s_max`` at the speed of the way up."""
    if not up_mb_s:
        return max(1, plan.network_parts // 16)
    fit = int(up_mb_s * MEGABYTE * plan.network_s_max / plan.network_part_bytes)
    return max(1, min(plan.network_parts, fit))
