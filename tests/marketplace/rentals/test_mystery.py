"""The site rents idle machines itself, as a stranger would, and its figures are those shown."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.test import override_settings

from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import SshKey, User
from marketplace.domain.placement import Blame
from marketplace.ledger import audit, queries
from marketplace.machines.models import Machine
from marketplace.offers.models import UNMEASURED, Offer
from marketplace.placements.models import Placement, PlacementEvent
from marketplace.rentals.actions.count_starts import count_starts
from marketplace.rentals.actions.rent_mysteriously import rent_mysteriously
from marketplace.rentals.doors import DOORS_LOST_MAX, DoorsLostMany, check_doors
from marketplace.rentals.models import Rental
from protocol.agent import Want
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key

Give = Callable[..., None]
DAY_S = 86_400
FIGURES = ("start_p50_ms", "starts", "starts_failed", "starts_ours")


@pytest.fixture
def market(charlie: User, alice: User, give: Give) -> Market:
    give(alice, 50_000_000)
    prove(user=alice)
    prove(user=charlie)
    return Market.open(charlie)


def begun(market: Market, alice: User, at: datetime) -> Rental:
    """Let the site rent it at this moment, and return what it began."""
    with override_settings(MYSTERY_RENTER=alice.email.upper()):
        assert rent_mysteriously(now=at) == 1
        return Rental.objects.latest("started_at")


def test_a_site_that_names_nobody_rents_nothing(market: Market) -> None:
    assert rent_mysteriously(now=scene.NOW) == 0
    with override_settings(MYSTERY_RENTER="nobody@example.com"):
        assert rent_mysteriously(now=scene.NOW) == 0
    assert not Rental.objects.exists()


def test_it_ends_as_soon_as_its_ssh_was_seen_and_pays_for_that(market: Market, alice: User) -> None:
    rental = begun(market, alice, scene.NOW)
    assert rental.placement.cpus == 1
    with override_settings(MYSTERY_RENTER=alice.email):
        assert rent_mysteriously(now=scene.after(10)) == 0
        market.run(rental, at=scene.after(20))
        assert rent_mysteriously(now=scene.after(30)) == 1
        assert rent_mysteriously(now=scene.after(31)) == 0
    rental.placement.refresh_from_db()
    assert rental.placement.want == Want.END
    market.end(rental, at=scene.after(32))
    assert queries.held(alice.pk) == 0
    assert audit.audit() == []


def test_no_two_have_the_same_key_and_no_machine_is_seen_twice_a_day(
    market: Market, alice: User
) -> None:
    first = begun(market, alice, scene.NOW)
    market.end(first, at=scene.after(60))
    with override_settings(MYSTERY_RENTER=alice.email):
        assert rent_mysteriously(now=scene.after(61)) == 0
    a_day_ago = scene.after(61 - DAY_S)
    Rental.objects.update(started_at=a_day_ago)
    SshKey.objects.update(created_at=a_day_ago)
    later = begun(market, alice, scene.after(61))
    assert first.placement.authorized_keys != later.placement.authorized_keys
    assert SshKey.objects.filter(user=alice).count() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"listed": False},
        {"private": True},
        {"verified_until": None},
        {"price_hour_microusd": 10_000_001},
        {"longest_term_s": 600},
    ],
)
def test_what_a_stranger_cannot_or_should_not_rent_is_left_alone(
    market: Market, alice: User, changed: dict[str, object]
) -> None:
    Offer.objects.update(**changed)
    with override_settings(MYSTERY_RENTER=alice.email):
        assert rent_mysteriously(now=scene.NOW) == 0


def test_whoever_signs_up_with_its_address_is_not_it(market: Market, alice: User) -> None:
    EmailAddress.objects.update(verified=False)
    with override_settings(MYSTERY_RENTER=alice.email):
        assert rent_mysteriously(now=scene.NOW) == 0


def test_traffic_costs_it_next_to_nothing(market: Market, alice: User) -> None:
    Offer.objects.update(network_price_microusd=10_000_000)
    rental = begun(market, alice, scene.NOW)
    # An hour of a CPU, and a hundredth of a GB.
    assert rental.worst_total_microusd == 3_600_000 + 100_000


def test_nobody_is_kept_from_a_machine_by_it(market: Market, alice: User, charlie: User) -> None:
    Machine.objects.update(cpus_free=0, cpus_interruptible=1)
    with override_settings(MYSTERY_RENTER=alice.email):
        assert rent_mysteriously(now=scene.NOW) == 0
    Machine.objects.update(cpus_free=market.machine.cpus_total, cpus_interruptible=0)
    with override_settings(MYSTERY_RENTER=alice.email, MYSTERY_RENTALS_AN_HOUR=0):
        assert rent_mysteriously(now=scene.NOW) == 0


def test_a_machine_whose_door_is_never_seen_fails_and_keeps_nobody_from_the_others(
    market: Market, alice: User
) -> None:
    tried = {"look_due_at": scene.after(10)}
    late = {"state": "failed", "reason_code": "door_late", "ended_at": scene.NOW, **tried}
    with override_settings(MYSTERY_RENTER=alice.email):
        for _ in range(DOORS_LOST_MAX):
            rental = market.rent(alice, lease_s=60) if Rental.objects.exists() else None
            rental = rental or begun(market, alice, scene.NOW)
            Placement.objects.filter(id=rental.placement_id).update(**late, deadline_at=None)
            Machine.objects.update(cpus_free=market.machine.cpus_total)
            PlacementEvent.objects.create(
                placement=rental.placement, event="late", reason_code="door_late",
                old_state="starting", new_state="failed", at=scene.NOW, unseen_s=300,
            )  # fmt: skip
        count_starts(now=scene.after(60))
        assert Offer.objects.values_list(*FIGURES).get() == (UNMEASURED, 0, DOORS_LOST_MAX, True)
        check_doors(alice.pk, scene.after(60))
        # Whoever tries doors was away when the last one ended.
        Placement.objects.filter(id=rental.placement_id).update(look_due_at=scene.after(-60))
        count_starts(now=scene.after(60))
        assert Offer.objects.values_list(*FIGURES).get()[2] == DOORS_LOST_MAX - 1
    # Of a stranger nobody can tell who shut it.
    count_starts(now=scene.after(60))
    assert Offer.objects.values_list(*FIGURES).get() == (UNMEASURED, 0, 0, False)
    with pytest.raises(DoorsLostMany):
        check_doors(alice.pk, scene.after(60))


def test_an_account_without_money_rents_nothing_and_says_so(
    market: Market, charlie: User, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(MYSTERY_RENTER=charlie.email):
        assert rent_mysteriously(now=scene.NOW) == 0
    assert "Mystery rental refused" in caplog.text
    # However often it is refused, no key of it fills the account.
    assert not SshKey.objects.filter(user=charlie).exists()


def came_up(rental: Rental, wait_ms: int) -> None:
    """Have it answered after that long."""
    Placement.objects.filter(id=rental.placement_id).update(
        reachable_at=rental.placement.created_at + timedelta(milliseconds=wait_ms)
    )


def test_enough_of_them_are_the_figures_that_are_shown(
    market: Market, alice: User, bob: User, give: Give
) -> None:
    give(bob, 50_000_000)
    give_key(alice)
    give_key(bob)
    came_up(market.rent(bob, lease_s=60), 60_000)
    Machine.objects.update(cpus_free=market.machine.cpus_total)
    for _ in range(4):
        came_up(market.rent(alice, lease_s=60), 900)
        Machine.objects.update(cpus_free=market.machine.cpus_total)
    with override_settings(MYSTERY_RENTER=alice.email):
        count_starts(now=scene.after(60))
        assert Offer.objects.values_list(*FIGURES).get() == (900, 5, 0, False)
        failed = market.rent(alice, lease_s=60)
        Placement.objects.filter(id=failed.placement_id).update(
            state="failed", blame=Blame.MACHINE, ended_at=scene.NOW, deadline_at=None
        )
        count_starts(now=scene.after(60))
    assert Offer.objects.values_list(*FIGURES).get() == (900, 4, 1, True)
    # Without them it is everybody's again.
    count_starts(now=scene.after(60))
    assert Offer.objects.values_list(*FIGURES).get() == (900, 5, 1, False)
