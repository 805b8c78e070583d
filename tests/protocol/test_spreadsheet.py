"""What others wrote is shown by a spreadsheet and never computed."""

import pytest

from protocol.spreadsheet import cell, dollars


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =cmd|' /C calc'!A0"]
)
def test_what_would_be_computed_is_a_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "debian:12 at $3.60 an hour", "a=b", "1-2", "'=1"])
def test_what_is_no_formula_stays(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    ("microusd", "text"), [(0, "0.000000"), (-13, "-0.000013"), (12_500_000, "12.500000")]
)
def test_an_amount_can_be_summed(microusd: int, text: str) -> None:
    assert dollars(microusd) == text
