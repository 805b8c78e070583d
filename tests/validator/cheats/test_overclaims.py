"""Every pair of the table: a card that lacks some of the memory of the model that it claims.

The cheat fills only what a verdict asks for, makes lines by a kernel 30 % faster than ours, or
fetches them from the host's memory through PCIe. The figures are those of docs/verification.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.validator.cheats.simulated import (
    BANDWIDTH_REACHED,
    GIGA,
    INT8_REACHED,
    known_models,
)
from validator.domain.gpu_proof import slowdown
from validator.domain.gpu_specs import base_hundredths, published, reachable_ppm, required
from validator.domain.gpu_table import GpuModel

#: Bytes made for each processor and cycle: a line's 32 bytes take 16 compressions, of which a
#: processor does 0.051 in a cycle. Source: gpu_verification.md 2.3
MADE_BYTES_A_CYCLE = 2 * 0.051 * 1.3
FILLED = 0.94


@dataclass(frozen=True, slots=True)
class Overclaim:
    true: GpuModel
    claimed: GpuModel
    missing: float


def overclaims() -> Iterator[Overclaim]:
    """Yield each pair in which the true card cannot fill what the claimed one must."""
    for claimed in known_models():
        asked = required(claimed.name, vram_bytes=claimed.vram_gb * GIGA).filled_bytes
        for true in known_models():
            missing = 1 - true.vram_gb * GIGA * FILLED / asked
            if missing > 0:
                yield Overclaim(true, claimed, missing)


def makes_bytes_s(card: GpuModel) -> float:
    return MADE_BYTES_A_CYCLE * (card.sms or 128) * (card.boost_mhz or 2500) * 10**6


def fetches_bytes_s(card: GpuModel) -> float:
    """PCIe 5 from Hopper on, PCIe 4 before."""
    return (50 if float(card.compute_capability) >= 9 else 25) * GIGA


def passes(one: Overclaim, from_elsewhere_bytes_s: float) -> bool:
    """Say whether the card reads fast enough though a part is missing, and multiplies so too."""
    figures = published(one.true)
    assert figures is not None
    read_bytes_s = figures.bandwidth_bytes_s * BANDWIDTH_REACHED[1]
    factor = slowdown(
        one.missing, bandwidth_bytes_s=read_bytes_s, made_bytes_s=from_elsewhere_bytes_s
    )
    asked = required(one.claimed.name, vram_bytes=one.claimed.vram_gb * GIGA)
    multiplies = figures.int8_ops_s * reachable_ppm(one.true) / 1_000_000 * INT8_REACHED[1]
    return read_bytes_s / factor >= asked.bandwidth_bytes_s and multiplies >= asked.int8_ops_s


def worth_gained(one: Overclaim) -> int:
    return base_hundredths(one.claimed.name) - base_hundredths(one.true.name)


def test_no_card_of_the_table_makes_missing_memory_fast_enough() -> None:
    found = list(overclaims())
    assert len(found) == 2146
    assert [one for one in found if passes(one, makes_bytes_s(one.true))] == []


def test_few_fetch_it_fast_enough_and_none_of_them_gains() -> None:
    fetching = [one for one in overclaims() if passes(one, fetches_bytes_s(one.true))]
    assert len(fetching) == 12
    assert max(worth_gained(one) for one in fetching) <= 0


def test_what_both_together_can_gain_is_known() -> None:
    """The bound of what this proof leaves open, in hundredths of a worth of at most 500."""
    both = [
        one
        for one in overclaims()
        if passes(one, makes_bytes_s(one.true) + fetches_bytes_s(one.true))
    ]
    gaining = [one for one in both if worth_gained(one) > 0]
    assert (len(both), len(gaining)) == (33, 5)
    assert max(worth_gained(one) for one in gaining) == 19
