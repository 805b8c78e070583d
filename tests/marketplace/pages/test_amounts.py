"""Amounts line up at their cents, and a balance is told with how long it lasts."""

import pytest
from django.test import Client
from django.utils.html import strip_tags

from marketplace.accounts.models import User
from marketplace.pages.shown.statement import runway_sentence
from marketplace.pages.templatetags.amounts import cents
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market


@pytest.mark.parametrize(
    ("amount", "below"),
    [("$1,234.567891", "7891"), ("-$0.000474", "0474"), ("+$2.096", "6"), ("$3.60", ""), ("–", "")],
)
def test_what_is_below_a_cent_is_set_apart_and_nothing_is_lost(amount: str, below: str) -> None:
    shown = cents(amount)
    assert strip_tags(shown) == amount
    assert (f'<span class="below-cent">{below}</span>' in shown) is bool(below)


def test_what_is_no_amount_stays_text() -> None:
    assert "<b>" not in cents("<b>1.005")


def test_the_page_says_how_long_the_money_lasts(
    renter: Client, market: Market, alice: User
) -> None:
    assert "Nothing that costs money runs now." in renter.get("/money/").content.decode()
    market.run(market.rent(alice), at=scene.NOW)
    assert "What runs costs $3.60 an hour: this and what is set aside last for 2 h 46 min." in (
        renter.get("/money/").content.decode()
    )


def test_nobody_is_told_of_a_runway_of_centuries() -> None:
    assert runway_sentence(10**15, 1).endswith("last for a year and more.")
