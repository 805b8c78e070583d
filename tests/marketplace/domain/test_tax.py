"""Who a host is for the tax office: checked for slips, shown without what nobody needs to see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.tax import TaxDetailsRefused, masked, tax_details

GOOD = {
    "legal_name": "  Charlie   Chandler ",
    "country": "us",
    "tax_id": "12-345 6789",
    "address": " 1 Main  Street \nSpringfield ",
}


def test_blanks_dashes_and_case_are_tidied() -> None:
    found = tax_details(**GOOD)
    assert (found.legal_name, found.country, found.tax_id) == (
        "Charlie Chandler",
        "US",
        "123456789",
    )
    assert found.address == "1 Main Street\nSpringfield"


@pytest.mark.parametrize(
    "wrong",
    [
        {"legal_name": " "},
        {"legal_name": "x" * 121},
        {"legal_name": "Char\x07lie"},
        {"country": "XX"},
        {"country": ""},
        {"tax_id": "12345678"},
        {"tax_id": "DE123456789"},
        {"country": "AT", "tax_id": "1"},
        {"address": "x"},
        {"address": "x" * 301},
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(wrong: dict[str, str]) -> None:
    with pytest.raises(TaxDetailsRefused, match=r"^[A-Z].*\.$"):
        tax_details(**(GOOD | wrong))


@pytest.mark.parametrize(
    ("country", "number"),
    [("DE", "DE 123 456 789"), ("GB", "QQ123456C"), ("FR", "FR12345678901"), ("NO", "912 345 678")],
)
def test_numbers_of_many_countries_pass(country: str, number: str) -> None:
    assert tax_details(**(GOOD | {"country": country, "tax_id": number})).country == country


@given(st.integers(10**4, 10**20 - 1).map(str))
def test_a_masked_number_keeps_its_length_and_hides_most(number: str) -> None:
    shown = masked(number)
    assert len(shown) == len(number)
    assert shown.count("•") * 2 >= len(number)
    assert number.endswith(shown.lstrip("•"))
