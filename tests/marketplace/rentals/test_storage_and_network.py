"""A stopped rental's disk and a running one's traffic cost what their host asked at the start."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd, fee_of
from marketplace.domain.upkeep import GB, TrafficOverCap
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.return_charge import return_charge
from marketplace.ledger.models import Transfer
from marketplace.machines.models import Machine
from marketplace.metering.actions.count_storage import count_storage
from marketplace.metering.models import Meter, SideMeter
from marketplace.metering.occupancy import lately
from marketplace.metering.queries import earned_by_machine
from marketplace.offers.actions.set_terms import TermsInvalid, set_terms
from marketplace.placements.models import Placement
from marketplace.rentals import queries
from marketplace.rentals.actions import end, start, stop
from marketplace.rentals.actions.allow_traffic import TrafficNotRaised, allow_traffic
from marketplace.rentals.actions.count_traffic import USED_UP, count_traffic
from marketplace.rentals.actions.extend import RentalOver
from marketplace.rentals.models import Rental
from marketplace.telemetry.models import Reading
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.rentals.proving import deliver
from tests.marketplace.scene import GIB, NOW, after

#: of a GB and 30 days, and of a GB of traffic
STORAGE, NETWORK = 700_000, 10_000
DISK_BYTES = 2 * GIB
HOUR_MICROUSD = STORAGE * DISK_BYTES // GB / 720
LEASE_S = 4 * 3600


@pytest.fixture
def market(charlie: User) -> Market:
    market = Market.open(charlie)
    set_terms(
        host_id=charlie.pk,
        machine_id=market.machine.id,
        now=NOW,
        storage_price_microusd=STORAGE,
        network_price_microusd=NETWORK,
    )
    return market


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 40_000_000)
    give_key(alice)
    return alice


@pytest.fixture
def rental(market: Market, renter: User) -> Rental:
    """Four hours whose door is seen at second 3."""
    made = market.rent(renter, lease_s=LEASE_S)
    market.run(made, at=after(2))
    return made


def halt(market: Market, rental: Rental, *, at_s: int) -> None:
    stop.stop(rental_id=rental.id, renter_id=rental.renter_id, now=after(at_s))
    market.halt(rental, at=after(at_s + 1))
    assert Placement.objects.get().state == "stopped"


def keep(since_s: int, until_s: int, *, every_s: int = 60) -> None:
    """Let the pass count each minute."""
    for second in range(since_s, until_s + 1, every_s):
        count_storage(now=after(second))


def read(rental: Rental, second: int, total_bytes: int, *, run: int = 1) -> None:
    """Have the machine tell its counters, half of them each way."""
    usage = {
        "placement_id": str(rental.placement_id),
        "run": run,
        "cpu_ms": 1,
        "memory_bytes": 1,
        "received_bytes": total_bytes // 2,
        "sent_bytes": total_bytes - total_bytes // 2,
    }
    Reading.objects.create(
        machine=rental.placement.machine,
        slot=second,
        at=after(second),
        content={"placements": {str(rental.placement_id): usage}},
    )


def side() -> SideMeter:
    return SideMeter.objects.get()


def finish(market: Market, rental: Rental, *, at_s: int) -> None:
    end.end(rental_id=rental.id, renter_id=rental.renter_id, now=after(at_s))
    market.end(rental, at=after(at_s + 1))
    assert audit.audit() == []
    assert ledger.held(rental.renter_id) == 0


def test_a_stopped_disk_costs_by_the_minute_and_is_charged_at_the_end(
    market: Market, rental: Rental, renter: User
) -> None:
    keep(60, 120)
    assert side().stored_ms == 0
    halt(market, rental, at_s=199)
    keep(260, 3800)
    # From the machine's word at 200 s on.
    assert side().stored_ms == 3_600_000
    view = queries.view(rental.id, renter.pk, after(3800))
    assert view.storage_microusd == view.cost_microusd == int(HOUR_MICROUSD)
    assert view.burn_hour_microusd == int(HOUR_MICROUSD)
    finish(market, rental, at_s=3850)
    (stored,) = Transfer.objects.filter(kind=TransferKind.STORAGE)
    fee = int(HOUR_MICROUSD) // 20
    assert stored.amount_microusd == int(HOUR_MICROUSD) - fee
    assert ledger.balance(renter.pk) == 40_000_000 - int(HOUR_MICROUSD)
    (line,) = [line for line in ledger.statement(renter.pk) if line.kind == TransferKind.CHARGE]
    assert line.amount_microusd == -int(HOUR_MICROUSD)


def test_what_comes_back_of_a_disk_is_taken_off_what_its_machine_earned(
    market: Market, rental: Rental, charlie: User
) -> None:
    deliver(market, rental, second=101)
    halt(market, rental, at_s=199)
    keep(260, 3800)
    finish(market, rental, at_s=3850)
    machine, now = market.machine, after(3900)

    def differs() -> set[int]:
        """Return how the figures of the machine differ from what its host's earnings have."""
        whole = earned_by_machine(charlie.pk, machine_ids=[machine.id])[machine.id]
        month = lately([machine], host_id=charlie.pk, now=now)[machine.id].earned_microusd
        return {each - ledger.earned(charlie.pk) for each in (whole, month)}

    assert differs() == {0}
    # It began before the month that is counted, and all of it lies inside.
    Meter.objects.update(opened_at=now - timedelta(days=31))
    assert differs() == {0}
    meter = Meter.objects.get()
    for cause, amount in (("disk", side().storage_microusd), ("time", meter.charged_microusd)):
        assert amount
        return_charge(
            hold_id=meter.hold_id,
            amount_microusd=MicroUsd(amount),
            fee_microusd=fee_of(amount, meter.fee_ppm),
            host_user_id=charlie.pk,
            cause=cause,
            note="",
            now=now,
        )
        # The fee of each return is rounded down.
        assert differs() <= {0, 1, 2}
    assert ledger.earned(charlie.pk) == 0


def test_nothing_counts_while_its_machine_is_away_or_nobody_counted(
    market: Market, rental: Rental
) -> None:
    halt(market, rental, at_s=99)
    keep(160, 160)
    Machine.objects.update(online=False)
    keep(220, 400)
    Machine.objects.update(online=True)
    keep(460, 460)
    assert side().stored_ms == 120_000
    # Of an hour in which no pass ran the last five minutes count.
    keep(4060, 4060)
    assert side().stored_ms == 420_000


def test_the_time_between_two_stops_is_no_stopped_time(market: Market, rental: Rental) -> None:
    halt(market, rental, at_s=99)
    keep(160, 160)
    start.start(rental_id=rental.id, renter_id=rental.renter_id, now=after(170))
    halt(market, rental, at_s=199)
    keep(220, 220)
    assert side().stored_ms == 60_000 + 20_000


def test_storage_is_never_charged_beyond_what_is_held(
    market: Market, rental: Rental, renter: User
) -> None:
    halt(market, rental, at_s=99)
    SideMeter.objects.update(stored_ms=10**15)
    finish(market, rental, at_s=110)
    assert ledger.balance(renter.pk) == 40_000_000 - rental.worst_total_microusd


def test_storage_leaves_what_the_time_that_is_left_may_cost(market: Market, rental: Rental) -> None:
    halt(market, rental, at_s=99)
    SideMeter.objects.update(stored_ms=10**15)
    keep(160, 160)
    assert side().storage_microusd > 0
    left = CPU_HOUR_MICROUSD * (LEASE_S - 160) // 3600
    assert ledger.held(rental.renter_id) >= left
    finish(market, rental, at_s=170)


def test_traffic_is_held_counted_over_runs_and_charged(
    market: Market, rental: Rental, renter: User
) -> None:
    assert rental.worst_total_microusd == 4 * CPU_HOUR_MICROUSD + 10 * NETWORK
    assert ledger.held(renter.pk) == rental.worst_total_microusd
    # The first reading is from before the door was seen, and a new run counts from nothing.
    read(rental, 2, GB)
    read(rental, 12, 2 * GB)
    count_traffic(now=after(13))
    assert side().traffic_bytes == GB
    read(rental, 22, 3 * GB)
    read(rental, 32, GB, run=2)
    read(rental, 42, GB // 2, run=2)
    read(rental, 52, GB, run=2)
    for second in (60, 61):
        count_traffic(now=after(second))
    assert side().traffic_bytes == 3 * GB + GB // 2
    finish(market, rental, at_s=100)
    sent = Transfer.objects.filter(kind=TransferKind.NETWORK).order_by("id")
    # A cent at once, and the rest at the end.
    assert [one.amount_microusd for one in sent] == [10_000 * 19 // 20, 25_000 * 19 // 20]
    assert ledger.balance(renter.pk) == 40_000_000 - 35_000


def test_what_used_up_its_traffic_is_stopped_and_starts_with_more(
    market: Market, rental: Rental, renter: User
) -> None:
    read(rental, 12, 99 * GB)
    count_traffic(now=after(13))
    view = queries.view(rental.id, renter.pk, after(13))
    assert (view.state, view.reason_code) == ("stopping", USED_UP)
    assert view.traffic_bytes == view.traffic_bytes_max == 10 * GB
    assert view.traffic_microusd == 10 * NETWORK
    market.halt(rental, at=after(14))
    ask = {"rental_id": rental.id, "renter_id": renter.pk}
    with pytest.raises(TrafficNotRaised):
        allow_traffic(**ask, traffic_bytes_max=GB, now=after(15))
    for second in (15, 16):
        allow_traffic(**ask, traffic_bytes_max=20 * GB, now=after(second))
    left = rental.worst_total_microusd + 10 * NETWORK - side().traffic_microusd
    assert ledger.held(renter.pk) == left
    start.start(**ask, now=after(17))
    count_traffic(now=after(18))
    assert Placement.objects.get().state == "offered"


def test_whose_paid_time_is_over_buys_no_traffic(rental: Rental, renter: User) -> None:
    with pytest.raises(RentalOver):
        allow_traffic(
            rental_id=rental.id,
            renter_id=renter.pk,
            traffic_bytes_max=20 * GB,
            now=rental.placement.funded_until,
        )
    assert ledger.held(renter.pk) == rental.worst_total_microusd


def test_more_traffic_locks_the_meter_before_its_side(rental: Rental, renter: User) -> None:
    """Whoever charges locks them so, and the other way round both would wait for each other."""
    with CaptureQueriesContext(connection) as asked:
        allow_traffic(
            rental_id=rental.id, renter_id=renter.pk, traffic_bytes_max=20 * GB, now=after(1)
        )
    read_from = [one["sql"].partition(' FROM "')[2].partition('"')[0] for one in asked]
    meter, own_side = map(read_from.index, ("metering_meter", "metering_sidemeter"))
    assert meter < own_side


def test_what_runs_keeps_the_prices_of_its_start(
    market: Market, rental: Rental, charlie: User
) -> None:
    set_terms(
        host_id=charlie.pk,
        machine_id=market.machine.id,
        now=NOW,
        storage_price_microusd=0,
        network_price_microusd=0,
    )
    assert (side().storage_price_microusd, side().network_price_microusd) == (STORAGE, NETWORK)


@pytest.mark.parametrize("name", ["storage_price_microusd", "network_price_microusd"])
@pytest.mark.parametrize("price", [-1, 10_000_001])
def test_a_price_out_of_bounds_is_refused(
    market: Market, charlie: User, name: str, price: int
) -> None:
    with pytest.raises(TermsInvalid, match="A GB of storage or of traffic"):
        set_terms(
            host_id=charlie.pk,
            machine_id=market.machine.id,
            now=NOW + timedelta(seconds=1),
            **{name: price},  # type: ignore[misc]
        )


def test_a_cap_that_traffic_alone_may_cost_is_refused(market: Market, renter: User) -> None:
    with pytest.raises(TrafficOverCap):
        market.rent(renter, cap_microusd=10 * NETWORK)
    assert ledger.held(renter.pk) == 0
    capped = market.rent(renter, lease_s=None, cap_microusd=CPU_HOUR_MICROUSD + 10 * NETWORK)
    assert capped.worst_total_microusd == CPU_HOUR_MICROUSD + 10 * NETWORK
    assert capped.placement.funded_until == NOW + timedelta(hours=1)
