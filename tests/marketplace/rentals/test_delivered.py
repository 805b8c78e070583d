"""A proof that shows less than was listed lowers what is paid, and says so; nothing else does."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.delivered import SPEAKS_FOR, Effect
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.placement import PlacementState
from marketplace.domain.rental_proof import ProofState
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.ledger.models import Account, Hold, Transfer
from marketplace.metering.actions.audit_money import audit_money
from marketplace.metering.models import Meter
from marketplace.metering.queries import earned_by_machine
from marketplace.papers.content import total
from marketplace.papers.usage import charged, usage
from marketplace.rentals import bills, queries
from marketplace.rentals.actions import end
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.actions.reprice import reprice
from marketplace.rentals.models import Rental, RentalProof
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.rentals.proving import LISTED, deliver, measure, passed, read
from tests.marketplace.scene import after
from tests.marketplace.test_killed_passes import Killed, killed_before

DAY = 86_400


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    """It costs $0.001 a second; it runs at second 0 and its door is seen at second 1."""
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    return rental


def prove(rental: Rental, *, second: int, rate: int, is_borne_out: bool = True) -> RentalProof:
    """Keep such a proof and count it; a validator has measured the same of what is free."""
    if is_borne_out:
        measure(rental, second=second, rate=rate)
    proof = passed(rental, second=second, rate=rate)
    assert count_proofs(now=after(second)) == 1
    assert count_proofs(now=after(second)) == 0
    proof.refresh_from_db()
    return proof


def prove_idle(market: Market, rental: Rental, *, second: int, share: float) -> RentalProof:
    deliver(market, rental, second=second)
    read(rental, until=second)
    return prove(rental, second=second, rate=int(LISTED * share))


def prices(rental: Rental) -> list[tuple[int, int, str]]:
    found = bills.periods(Meter.objects.get(id=rental.meter_id))
    return [(one.price_hour_microusd, one.ms // 1000, one.reason) for one in found]


def fees() -> int:
    return open_account.fees().balance_microusd


def well(user: User) -> None:
    """All accounts agree, and the invoice of the month is what the ledger charged."""
    assert audit_money(now=after(0)).problems == []
    month = after(0).replace(day=1, hour=0), after(40 * DAY)
    assert total(usage(user.pk, *month)) == charged(user.pk, *month)


def test_the_difference_comes_back_and_less_is_paid_from_then_on(
    market: Market, rental: Rental, alice: User, charlie: User
) -> None:
    proof = prove_idle(market, rental, second=101, share=0.7)
    # 100 s of $0.001 were charged: 30 % of $0.10 is $0.03, of which 5 % was the site's.
    assert (proof.effect, proof.delivered_ppm, proof.returned_microusd) == (
        Effect.LESS,
        700_000,
        30_000,
    )
    assert ledger.earned(charlie.pk) == 95_000 - 28_500
    assert fees() == 5_000 - 1_500
    assert earned_by_machine(charlie.pk, machine_ids=[market.machine.id]) == {
        market.machine.id: 95_000 - 28_500
    }
    # Nothing goes into the hold, which still covers the price agreed on.
    assert ledger.balance(alice.pk) == 10_000_000 - 3_600_000 + 30_000
    assert ledger.held(alice.pk) == 3_600_000 - 100_000
    assert queries.view(rental.id, alice.pk, after(101)).cost_microusd == 70_000
    deliver(market, rental, second=201)
    assert prices(rental) == [
        (CPU_HOUR_MICROUSD, 100, ""),
        (CPU_HOUR_MICROUSD * 7 // 10, 100, "delivered_less"),
    ]
    lines = ledger.statement(alice.pk)
    backs = [one for one in lines if one.kind == TransferKind.REFUND]
    assert [one.amount_microusd for one in backs] == [30_000]
    assert all("70.0 % of what was listed" in one.note for one in backs)
    assert {one.cause for one in Transfer.objects.filter(kind=TransferKind.REFUND)} == {
        f"proof:{proof.id}:credit",
        f"proof:{proof.id}:credit:2",
    }
    well(alice)


def test_a_good_proof_brings_the_price_back_for_what_comes(
    market: Market, rental: Rental, alice: User
) -> None:
    prove_idle(market, rental, second=101, share=0.7)
    proof = prove_idle(market, rental, second=201, share=0.95)
    assert (proof.effect, proof.returned_microusd) == (Effect.ENOUGH, 0)
    deliver(market, rental, second=301)
    assert [one[:2] for one in prices(rental)] == [
        (CPU_HOUR_MICROUSD, 100),
        (CPU_HOUR_MICROUSD * 7 // 10, 100),
        (CPU_HOUR_MICROUSD, 100),
    ]
    assert prices(rental)[2][2] == "delivered_again"
    # The next one speaks for the last 100 s alone.
    assert prove_idle(market, rental, second=301, share=0.8).returned_microusd == 20_000
    well(alice)


def test_a_second_proof_gives_back_only_what_is_still_too_much(
    market: Market, rental: Rental, alice: User
) -> None:
    prove_idle(market, rental, second=101, share=0.8)
    proof = prove_idle(market, rental, second=201, share=0.6)
    # 100 s at 80 % cost $0.08, and should have cost 60 % = $0.06.
    assert proof.returned_microusd == 20_000
    better = prove_idle(market, rental, second=301, share=0.75)
    assert (better.effect, better.returned_microusd) == (Effect.LESS, 0)
    deliver(market, rental, second=401)
    assert [price for price, _, _ in prices(rental)] == [
        CPU_HOUR_MICROUSD * percent // 100 for percent in (100, 80, 60, 75)
    ]
    well(alice)


def test_less_than_half_stops_it_and_gives_half_back(
    market: Market, rental: Rental, alice: User
) -> None:
    proof = prove_idle(market, rental, second=101, share=0.3)
    assert (proof.effect, proof.delivered_ppm) == (Effect.BROKEN, 300_000)
    assert proof.returned_microusd == 50_000
    rental.placement.refresh_from_db()
    assert rental.placement.state == PlacementState.STOPPING
    assert rental.placement.reason_code == "delivered_too_little"
    assert "less than half of what was listed" in rental.placement.reason
    well(alice)


@pytest.mark.parametrize(("milli", "share", "effect"), [
    (150, 0.7, Effect.IN_USE), (90, 0.7, Effect.LESS), (1000, 0.9, Effect.ENOUGH),
])  # fmt: skip
def test_its_own_load_explains_a_low_figure_and_no_high_one(
    market: Market, rental: Rental, milli: int, share: float, effect: Effect
) -> None:
    deliver(market, rental, second=201)
    read(rental, until=201, milli=milli)
    proof = prove(rental, second=201, rate=int(LISTED * share))
    assert proof.effect == effect
    assert bool(proof.returned_microusd) == (effect == Effect.LESS)


def test_without_readings_nobody_knows_and_nothing_changes(market: Market, rental: Rental) -> None:
    deliver(market, rental, second=201)
    assert prove(rental, second=201, rate=LISTED // 4).effect == Effect.IN_USE
    assert not Transfer.objects.filter(kind=TransferKind.REFUND).exists()
    rental.refresh_from_db()
    assert rental.delivered_ppm == PPM


def test_what_was_not_listed_at_the_start_is_held_against_nobody(
    market: Market, rental: Rental
) -> None:
    assert rental.listed["hash_rate"] == LISTED
    Rental.objects.update(listed={})
    assert prove_idle(market, rental, second=101, share=0.1).effect == Effect.UNLISTED


def test_a_renters_proofs_lower_the_price_of_three_machines_a_month(
    market: Market, rental: Rental, alice: User
) -> None:
    for number in range(3):
        other = Rental.objects.create(
            renter=alice,
            offer=rental.offer,
            placement=scene.placement(scene.machine()),
            meter=Meter.objects.create(
                placement=scene.placement(scene.machine()),
                host=rental.meter.host,
                hold=Hold.objects.create(
                    user=alice,
                    account=Account.objects.create(kind="hold", user=alice),
                    cause=str(number),
                    created_at=after(0),
                ),
                price_hour_microusd=1,
                fee_ppm=0,
                opened_at=after(0),
            ),
            lease_s=1,
            worst_total_microusd=1,
            idempotency_key=str(number),
            request_digest="",
            started_at=after(0),
        )
        RentalProof.objects.create(
            rental=other,
            state=ProofState.PASSED,
            asked_at=after(0),
            expires_at=after(0),
            ended_at=after(0),
            effect=Effect.LESS,
            counted_at=after(number - 30 * DAY + 101),
        )
    # The first of them is 30 days old at second 101.
    assert prove_idle(market, rental, second=101, share=0.7).effect == Effect.LESS
    RentalProof.objects.filter(effect=Effect.LESS).update(counted_at=after(101))
    RentalProof.objects.filter(rental=rental).delete()
    assert prove_idle(market, rental, second=201, share=0.5).effect == Effect.TOO_MANY


def test_nobody_gets_anything_back_of_their_own_machine(
    market: Market, charlie: User, give: Callable[..., None]
) -> None:
    give(charlie, 10_000_000)
    give_key(charlie)
    rental = market.rent(charlie)
    market.run(rental, at=after(0))
    assert prove_idle(market, rental, second=101, share=0.7).effect == Effect.OWN


def test_what_its_host_was_paid_out_the_site_gives_back(
    market: Market, rental: Rental, alice: User, charlie: User
) -> None:
    deliver(market, rental, second=101)
    post(
        debit=open_account.earnings(user_id=charlie.pk),
        credit=open_account.outside(),
        amount_microusd=MicroUsd(90_000),
        kind=TransferKind.PAYOUT,
        cause="payout",
        now=after(101),
    )
    read(rental, until=101)
    assert prove(rental, second=101, rate=LISTED // 2).returned_microusd == 50_000
    assert (ledger.earned(charlie.pk), fees()) == (0, 5_000 - 45_000)
    well(alice)


def test_a_lowered_price_holds_for_a_week_and_through_other_changes(
    market: Market, rental: Rental, alice: User
) -> None:
    prove_idle(market, rental, second=101, share=0.7)
    seen = queries.view(rental.id, alice.pk, after(101))
    assert seen.burn_hour_microusd == CPU_HOUR_MICROUSD * 7 // 10
    half = CPU_HOUR_MICROUSD // 2
    reprice(
        rental_id=rental.id, price_hour_microusd=half, at=after(301), reason="bid", now=after(101)
    )
    # Another proof before that change has its moment: both prices are lowered further.
    prove_idle(market, rental, second=201, share=0.6)
    deliver(market, rental, second=401)
    assert [one[:2] for one in prices(rental)] == [
        (CPU_HOUR_MICROUSD, 100),
        (CPU_HOUR_MICROUSD * 7 // 10, 100),
        (CPU_HOUR_MICROUSD * 6 // 10, 100),
        (half * 6 // 10, 100),
    ]
    rental.refresh_from_db()
    assert rental.delivered_until == after(201) + SPEAKS_FOR
    assert count_proofs(now=rental.delivered_until - timedelta(seconds=1)) == 0
    Rental.objects.update(delivered_until=after(401))
    assert count_proofs(now=after(401)) == 1
    assert count_proofs(now=after(401)) == 0
    deliver(market, rental, second=501)
    assert prices(rental)[-1] == (half, 100, "delivered_unproven")
    well(alice)


def test_a_proof_that_is_counted_after_the_end_still_gives_back(
    market: Market, rental: Rental, alice: User
) -> None:
    deliver(market, rental, second=101)
    read(rental, until=101)
    end.end(rental_id=rental.id, renter_id=alice.pk, now=after(101))
    market.end(rental, at=after(102))
    meter = Meter.objects.get(id=rental.meter_id)
    assert meter.closed_at is not None
    proof = prove(rental, second=101, rate=int(LISTED * 0.7))
    assert (proof.effect, proof.returned_microusd) == (Effect.LESS, 30_000)
    assert ledger.balance(alice.pk) == 10_000_000 - 70_000
    well(alice)


@pytest.mark.parametrize(("more_s", "back"), [(0, 30_000), (1, 0)])
def test_what_was_charged_more_than_a_week_ago_stays(
    market: Market, rental: Rental, more_s: int, back: int
) -> None:
    deliver(market, rental, second=101)
    second = 101 + int(SPEAKS_FOR.total_seconds()) + more_s
    read(rental, until=second)
    proof = prove(rental, second=second, rate=LISTED * 7 // 10)
    assert (proof.effect, proof.returned_microusd) == (Effect.LESS, back)


@pytest.mark.parametrize(("hold_days", "back"), [(0, 0), (1, 0), (2, 30_000)])
def test_what_its_host_may_have_been_paid_out_by_now_stays(
    market: Market, rental: Rental, settings: Settings, hold_days: int, back: int
) -> None:
    settings.PAYOUT_HOLD_DAYS = hold_days
    deliver(market, rental, second=101)
    second = 102 + 86_400
    read(rental, until=second)
    proof = prove(rental, second=second, rate=LISTED * 7 // 10)
    assert (proof.effect, proof.returned_microusd) == (Effect.LESS, back)


def test_what_is_not_charged_or_proven_yet_is_part_of_it(
    market: Market, rental: Rental, alice: User
) -> None:
    deliver(market, rental, second=61)
    deliver(market, rental, second=91, is_charged=False)
    read(rental, until=101)
    # 90 s are proven by then, 60 of them charged.
    assert prove(rental, second=101, rate=LISTED * 7 // 10).returned_microusd == 27_000
    deliver(market, rental, second=201)
    assert [one[:2] for one in prices(rental)] == [
        (CPU_HOUR_MICROUSD, 90),
        (CPU_HOUR_MICROUSD * 7 // 10, 110),
    ]
    well(alice)


def test_storage_and_traffic_are_not_what_a_proof_speaks_of(market: Market, rental: Rental) -> None:
    deliver(market, rental, second=101)
    post(
        debit=rental.meter.hold.account,
        credit=open_account.fees(),
        amount_microusd=MicroUsd(50_000),
        kind=TransferKind.FEE,
        cause=f"meter:{rental.meter_id}:network:50000:fee",
        now=after(101),
    )
    read(rental, until=101)
    assert prove(rental, second=101, rate=LISTED // 2).returned_microusd == 50_000


def test_a_kill_at_any_write_gives_back_once(market: Market, rental: Rental, alice: User) -> None:
    deliver(market, rental, second=61)
    read(rental, until=61)
    measure(rental, second=61, rate=LISTED * 7 // 10)
    proof = passed(rental, second=61, rate=LISTED * 7 // 10)
    write = 0
    while True:
        with transaction.atomic():
            try:
                with killed_before(write):
                    count_proofs(now=after(61))
                break
            except Killed:
                write += 1
        assert not RentalProof.objects.exclude(counted_at=None).exists()
        assert not Transfer.objects.filter(kind=TransferKind.REFUND).exists()
    assert write > 10
    proof.refresh_from_db()
    assert proof.returned_microusd == 18_000
    well(alice)
