"""A bill is reckoned up before it is shown, and one that does not add up is not shown."""

from typing import Any

import pytest

from scripts.demo.amounts import DoesNotAddUp, bill_lines

BILL: dict[str, Any] = {
    "periods": [
        {"price_hour_microusd": 720_000, "ms": 16_461},
        {"price_hour_microusd": 900_000, "ms": 5_126},
    ],
    "unbilled": [{"sentence": "its machine was preparing it", "ms": 1_000}],
    "rounded_ms": 1,
    "billed_ms": 21_587,
    "total_ms": 22_588,
    "total_microusd": 4_573,
}


def test_each_line_can_be_followed_with_a_calculator() -> None:
    assert list(bill_lines(BILL, cost_microusd=4_573)) == [
        "16.461 s at $0.72 an hour: 0.72 x 16.461 / 3600 = $0.003292",
        "5.126 s at $0.90 an hour: 0.90 x 5.126 / 3600 = $0.001281",
        "1.000 s not charged: its machine was preparing it",
        "21.587 s + 1.001 s = 22.588 s: all its time",
        "it cost $0.004573",
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"total_ms": 22_589}, {"billed_ms": 21_586}, {"total_microusd": 4_574}, {"rounded_ms": 0}],
)
def test_a_bill_that_does_not_add_up_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(DoesNotAddUp):
        list(bill_lines(BILL | wrong, cost_microusd=4_573))


def test_a_bill_of_another_cost_than_the_rental_s_is_refused() -> None:
    with pytest.raises(DoesNotAddUp):
        list(bill_lines(BILL, cost_microusd=4_572))
