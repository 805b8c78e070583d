"""This will say how much of what its kind of hardware does a machine was measured to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from protocol.validator import CardFigures, MachineRecord, MeasuredLook
from validator.domain.gpu_specs import Figures, base_hundredths, find, published, reference

PPM = 1_000_000
MEGA = 1_000_000
GIGA = 1_000_000_000


@dataclass(frozen=True, slots=True)
class EfficiencyRules:
    """Every constant of this module."""

    #: PBKDF2-SHA256 iterations per second of one core that count as 1.
    #: Source: hashlib.pbkdf2_hmac("sha256", ..., 10**6) on one busy virtual core with SHA
    #: extensions, measured 4.4 million a second on 2026-11-21; rounded down
    hash_rate_per_cpu: int = 4_000_000
    #: weight of the newest measurement in the moving average. Our own choice
    newest_ppm: int = 300_000
    #: it never counts beyond this. Our own choice
    most_ppm: int = 1_500_000


RULES = EfficiencyRules()


def efficiency(machine: MachineRecord, rules: EfficiencyRules = RULES) -> Fraction:
    """Return the moving average of measured over expected, 0 to 1.5; 1 until first proven.

    A GPU counts by the less of bandwidth and int8, so that a name which promises more of either
    pays no more. One whose worth follows from its measured figures is 1: they count once.
    """
    shares = list(_of_cards(machine) if machine.gpus > 0 else _of_cpus(machine, rules))
    if not shares:
        return Fraction(1)
    average = shares[0]
    for share in shares[1:]:
        average += (share - average) * Fraction(rules.newest_ppm, PPM)
    return min(average, Fraction(rules.most_ppm, PPM))


def base(machine: MachineRecord) -> int:
    """Return what one of its GPUs is worth, in hundredths; of an unknown model as last measured."""
    card = next((look.card for look in reversed(machine.looks) if look.card is not None), None)
    return base_hundredths(machine.gpu_model, measured=None if card is None else _figures(card))


def _of_cpus(machine: MachineRecord, rules: EfficiencyRules) -> Iterator[Fraction]:
    for look in machine.looks:
        if look.hash_rate_per_cpu > 0:
            yield Fraction(look.hash_rate_per_cpu, rules.hash_rate_per_cpu)


def _of_cards(machine: MachineRecord) -> Iterator[Fraction]:
    model = find(machine.gpu_model)
    expected = reference(machine.gpu_model)
    if model is None or expected is None or published(model) is None:
        return
    for card in _cards(machine.looks):
        yield min(
            Fraction(card.bandwidth_bytes_s, expected.bandwidth_bytes_s),
            Fraction(card.int8_ops_s, expected.int8_ops_s),
        )


def _cards(looks: Iterable[MeasuredLook]) -> Iterator[Figures]:
    return (_figures(look.card) for look in looks if look.card is not None)


def _figures(card: CardFigures) -> Figures:
    return Figures(
        vram_bytes=card.vram_bytes,
        bandwidth_bytes_s=card.bandwidth_mb_s * MEGA,
        int8_ops_s=card.int8_gops * GIGA,
    )
