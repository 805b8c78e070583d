"""Renter and host are told once of a proof that lowered what is paid."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.domain.delivered import Effect
from marketplace.notices.actions.tell_delivered import tell_delivered
from marketplace.notices.models import Notice
from marketplace.rentals.models import Rental, RentalProof
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import after

__all__ = ["browser_of", "market", "renter"]


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    tell_delivered(now=after(0))
    return market.rent(alice)


def counted(rental: Rental, effect: Effect, *, second: int) -> RentalProof:
    return RentalProof.objects.create(
        rental=rental, state="passed", asked_at=after(0), expires_at=after(0), ended_at=after(0),
        effect=effect, delivered_ppm=450_000, returned_microusd=50_000, counted_at=after(second),
    )  # fmt: skip


def test_both_are_told_once(rental: Rental, alice: User, charlie: User) -> None:
    counted(rental, Effect.LESS, second=10)
    assert tell_delivered(now=after(24)) == 0
    assert tell_delivered(now=after(25)) == 2
    counted(rental, Effect.BROKEN, second=10)
    assert tell_delivered(now=after(26)) == 2
    assert tell_delivered(now=after(60)) == 0
    hers = Notice.objects.filter(user=alice).order_by("id")
    assert [one.kind for one in hers] == ["delivered_less", "delivered_less"]
    assert "45.0 % of what was listed" in hers[0].title
    assert "$0.05 came back to you." in hers[0].text
    assert "it was stopped and its files are kept" in hers[1].text
    his = Notice.objects.filter(user=charlie).order_by("id")
    assert "$0.05 went back to them" in his[0].text


@pytest.mark.parametrize("effect", [Effect.ENOUGH, Effect.IN_USE, Effect.OWN])
def test_nobody_is_told_of_what_changed_nothing(rental: Rental, effect: Effect) -> None:
    counted(rental, effect, second=10)
    assert tell_delivered(now=after(60)) == 0
