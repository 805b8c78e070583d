"""What a measurement makes of a name."""

from fractions import Fraction

import pytest

from protocol.validator import MeasuredLook
from tests.validator.builders import cpu_record, epoch, look, record
from validator.domain.efficiency import base, efficiency
from validator.domain.gpu_specs import Figures, find, published, reference
from validator.domain.scoring import score

H100 = "NVIDIA H100 80GB HBM3"
A100 = "NVIDIA A100-SXM4-80GB"
NAMELESS = "Graphics Device"


def figures(name: str) -> Figures:
    found = reference(name)
    assert found is not None
    return found


def of(name: str, **changed: float) -> MeasuredLook:
    """A look at a card that reaches what is expected of this one, but for shares of some."""
    card = look(of=figures(name)).card
    assert card is not None
    lower = {each: int(getattr(card, each) * share) for each, share in changed.items()}
    return look().model_copy(update={"card": card.model_copy(update=lower)})


def test_until_first_proven_it_is_one() -> None:
    assert efficiency(record()) == efficiency(cpu_record()) == 1


def test_of_a_machine_without_gpu_it_is_hashes_over_four_million() -> None:
    assert efficiency(cpu_record(looks=(look(2_000_000),))) == Fraction(1, 2)


def test_the_newest_measurement_weighs_three_tenths() -> None:
    looks = (look(4_000_000), look(8_000_000))
    assert efficiency(cpu_record(looks=looks)) == Fraction(13, 10)


def test_it_never_counts_beyond_one_and_a_half() -> None:
    assert efficiency(cpu_record(looks=(look(40_000_000),))) == Fraction(3, 2)


@pytest.mark.parametrize("slow", ["bandwidth_mb_s", "int8_gops"])
def test_a_gpu_counts_by_the_less_of_bandwidth_and_int8(slow: str) -> None:
    measured = efficiency(record(looks=(of(H100, **{slow: 0.75}),)))
    assert abs(measured - Fraction(3, 4)) < Fraction(1, 10_000)
    assert abs(efficiency(record(looks=(of(H100),))) - 1) < Fraction(1, 10_000)


def test_a_look_that_measured_no_gpu_says_nothing_of_them() -> None:
    assert efficiency(record(looks=(look(100),))) == 1


def test_a_card_under_a_better_ones_name_earns_less_than_under_its_own() -> None:
    """Even where it would reach the floor of the better name."""
    worth = {
        name: base(one) * efficiency(one)
        for name in (A100, H100, "NVIDIA H100 PCIe")
        for one in (record(gpu_model=name, looks=(of(A100),)),)
    }
    assert max(worth, key=lambda name: worth[name]) == A100


def test_a_card_without_a_known_name_is_worth_its_measured_figures_once() -> None:
    unproven = record(gpu_model=NAMELESS)
    shown = published(find(H100))  # type: ignore[arg-type]
    assert shown is not None
    proven = record(gpu_model=NAMELESS, looks=(look(of=shown, ppm=1_500_000),))
    assert [score(epoch(one))[0].points_micro > 0 for one in (unproven, proven)] == [False, True]
    assert efficiency(proven) == 1
    assert base(proven) >= base(record(gpu_model=H100))


def test_a_card_without_a_known_name_is_worth_what_was_measured_last() -> None:
    shown = figures(A100)
    before, now = look(of=shown, ppm=1_500_000), look(of=shown, ppm=400_000)
    assert base(record(gpu_model=NAMELESS, looks=(before, now, look(5)))) == base(
        record(gpu_model=NAMELESS, looks=(now,))
    )
