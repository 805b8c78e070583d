"""Whoever rents their own machine pays with money: credit would come out as earnings."""

from collections.abc import Callable

import pytest

from marketplace.accounts.models import Membership, User
from marketplace.domain.money import MicroUsd
from marketplace.domain.team import Role
from marketplace.ledger import audit, queries
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.actions.post import InsufficientFunds
from marketplace.metering.actions.begin import CreditForOthers
from marketplace.rentals.actions import extend
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.teams import team_of

Give = Callable[..., None]


@pytest.fixture
def market(charlie: User) -> Market:
    give_key(charlie)
    grant_credit(
        user_id=charlie.pk,
        amount_microusd=MicroUsd(50_000_000),
        expires_at=scene.after(90 * 86_400),
        cause="welcome",
        now=scene.NOW,
    )
    return Market.open(charlie)


def test_credit_pays_for_no_machine_of_ones_own(market: Market, charlie: User) -> None:
    with pytest.raises(CreditForOthers, match="add money"):
        market.rent(charlie, lease_s=60)
    assert (queries.balance(charlie.pk), queries.held(charlie.pk)) == (50_000_000, 0)
    assert audit.audit() == []


def test_a_team_of_the_host_is_the_host(market: Market, alice: User, charlie: User) -> None:
    team = team_of(alice, scene.NOW, charlie=(charlie, Role.MEMBER))
    give_key(team)
    grant_credit(
        user_id=team.pk,
        amount_microusd=MicroUsd(50_000_000),
        expires_at=scene.after(90 * 86_400),
        cause="welcome to a team",
        now=scene.NOW,
    )
    with pytest.raises(CreditForOthers):
        market.rent(team, lease_s=60)
    Membership.objects.filter(person=charlie).delete()
    assert market.rent(team, lease_s=60).renter == team


def test_money_does_and_no_extension_takes_credit(
    market: Market, charlie: User, give: Give
) -> None:
    give(charlie, 100_000)
    rental = market.rent(charlie, lease_s=60)
    assert (queries.balance(charlie.pk), queries.held(charlie.pk)) == (50_040_000, 60_000)
    with pytest.raises(InsufficientFunds):
        extend.extend(
            rental_id=rental.id,
            renter_id=charlie.pk,
            asked=extend.Asked(lease_s=600),
            idempotency_key="longer",
            now=scene.NOW,
        )
    (credit,) = queries.credit(charlie.pk, now=scene.NOW)
    assert credit.left_microusd == 50_000_000
    assert audit.audit() == []
