"""A VAT id is written as its country writes it, and a paper tells of no tax that nobody said."""

import pytest

from marketplace.domain.money import MicroUsd
from marketplace.domain.vat import NET, REVERSED, BillingRefused, Party, party, percent, vat

SELLER = Party("Berth GmbH", country="DE", vat_id="DE111111111")
FRENCH = Party("Société", country="FR", vat_id="FR12345678901")


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("DE", "de 123 456 789", "DE123456789"),
        ("GR", "EL123456789", "EL123456789"),
        ("GB", "XI 123456789", "XI123456789"),
        ("AT", "ATU12345678", "ATU12345678"),
        ("NL", "NL123456789B01", "NL123456789B01"),
        ("CH", "CHE-123.456.789 MWST", "CHE123456789MWST"),
        ("", "", ""),
    ],
)
def test_a_vat_id_is_kept_without_blanks(country: str, written: str, kept: str) -> None:
    found = party(name=" Ada  L. ", address="1 Road\n\n Town", country=country, vat_id=written)
    assert found == Party("Ada L.", "1 Road\n\nTown", country, kept)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"vat_id": "DE12345678"}, "no VAT id of DE"),
        ({"vat_id": "FR12345678901"}, "begins with DE"),
        ({"vat_id": "DE123456789", "country": ""}, "country of the VAT id"),
        ({"vat_id": "US123456789", "country": "US"}, "No VAT id of US is known"),
        ({"country": "Germany"}, "two letters"),
        ({"name": "A" * 121}, "at most 120"),
        ({"name": "A\x07"}, "on one line"),
        ({"address": "x" * 301}, "at most 300"),
        ({"address": "x\x1b[2J"}, "at most 300"),
    ],
)
def test_what_is_wrong_is_refused_with_what_to_do(changed: dict[str, str], says: str) -> None:
    asked = {"name": "Ada", "address": "Road 1", "country": "DE", "vat_id": ""} | changed
    with pytest.raises(BillingRefused, match=says):
        party(**asked)


def test_a_rate_says_what_part_of_the_paid_total_is_tax() -> None:
    tax = vat(MicroUsd(119), seller=SELLER, buyer=Party(), rate_ppm=190_000, may_reverse=True)
    assert (tax.microusd, tax.sentence) == (19, "The total holds VAT of 19 %.")
    back = vat(MicroUsd(-119), seller=SELLER, buyer=Party(), rate_ppm=190_000, may_reverse=True)
    assert back.microusd == -19


def test_without_a_rate_prices_are_net() -> None:
    tax = vat(MicroUsd(119), seller=SELLER, buyer=FRENCH, rate_ppm=0, may_reverse=False)
    assert (tax.microusd, tax.sentence) == (0, NET)


@pytest.mark.parametrize(
    ("buyer", "may", "reversed_"),
    [
        (FRENCH, True, True),
        (FRENCH, False, False),
        (Party(country="FR"), True, False),
        (Party(country="DE", vat_id="DE123456789"), True, False),
    ],
)
def test_a_business_abroad_owes_the_tax_itself_where_the_operator_says_so(
    buyer: Party, may: bool, reversed_: bool
) -> None:
    tax = vat(MicroUsd(119), seller=SELLER, buyer=buyer, rate_ppm=190_000, may_reverse=may)
    assert (tax.sentence == REVERSED) is reversed_
    assert (tax.microusd == 0) is reversed_


def test_percents_are_short() -> None:
    assert [percent(ppm) for ppm in (190_000, 81_000, 100_000)] == ["19 %", "8.1 %", "10 %"]
