from dataclasses import replace

import bittensor_core
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.domain.matching import MachineOffline, MachineUnverified
from marketplace.domain.offer_query import OfferQuery, OfferSort, wanted
from marketplace.domain.query_language import parse
from marketplace.machines.models import Machine
from marketplace.offers import queries
from marketplace.offers.actions.list_offer import list_missing, list_offer
from marketplace.offers.actions.refresh import refresh, refresh_all
from marketplace.offers.actions.set_terms import TermsInvalid, set_terms
from marketplace.offers.models import Offer
from marketplace.verification.actions.admit_validator import admit, expel
from marketplace.verification.actions.record_verdict import record
from protocol.hardware import Hardware
from protocol.validator import Measurement
from tests.marketplace.scene import GIB, NOW, Judge, after, hardware, machine, placement, user

pytestmark = pytest.mark.django_db
ALL = OfferQuery(verified=False)


def listed(*, price: int = 10_000, rate: int = 8_000_000, of: Hardware | None = None) -> Machine:
    on = machine(of=of)
    list_offer(machine_id=on.id, now=NOW)
    measurement = Measurement(cpus=4, cpu_hash_rate=rate)
    record(signed=Judge().admitted().verdict(on, measurement=measurement), now=NOW)
    prices = {"price_cpu_hour_microusd": price, "price_gpu_hour_microusd": price}
    set_terms(host_id=on.host_id, machine_id=on.id, now=NOW, listed=True, **prices)
    return on


def found(query: OfferQuery, at: float = 0) -> list[object]:
    return [row.machine_id for row in queries.search(query, now=after(at)).items]


def test_a_machine_is_listed_at_default_prices_once_it_is_enrolled() -> None:
    on = machine()
    assert list_missing(now=NOW) == 1
    assert list_missing(now=NOW) == 0
    (row,) = queries.search(ALL, now=NOW).items
    assert (row.machine_id, row.price_hour_microusd, row.verified) == (on.id, 10_000, False)
    assert (row.cpus_free, row.ram_bytes_free, row.value_microusd) == (4, 8 * GIB, None)


def test_a_machine_with_gpus_is_listed_once_its_host_names_a_price() -> None:
    on = machine(of=hardware(gpus=2))
    list_offer(machine_id=on.id, now=NOW)
    assert found(ALL) == []
    mine = {"host_id": on.host_id, "machine_id": on.id, "now": NOW}
    with pytest.raises(TermsInvalid, match="price of a GPU-hour"):
        set_terms(listed=True, **mine)
    set_terms(longest_term_s=3600, **mine)
    list_offer(machine_id=on.id, now=NOW)
    assert found(ALL) == []
    set_terms(listed=True, price_gpu_hour_microusd=2_000_000, **mine)
    assert found(ALL) == [on.id]


def test_only_verified_machines_are_shown_unless_all_are_asked_for() -> None:
    vouched, unvouched = listed(), machine()
    list_offer(machine_id=unvouched.id, now=NOW)
    assert found(OfferQuery()) == [vouched.id]
    assert set(found(ALL)) == {vouched.id, unvouched.id}
    assert found(OfferQuery(), at=3600) == []


def test_an_offline_machine_and_an_unlisted_offer_are_not_shown() -> None:
    offline, unlisted = listed(), listed()
    Machine.objects.filter(id=offline.id).update(online=False)
    set_terms(host_id=unlisted.host_id, machine_id=unlisted.id, now=NOW, listed=False)
    assert found(ALL) == []


def test_what_a_placement_takes_is_gone_from_the_search_at_once() -> None:
    on = listed()
    placement(on, cpus=3)
    assert found(OfferQuery(conditions=wanted(cpus_min=2))) == []
    assert found(OfferQuery(conditions=wanted(cpus_min=1))) == [on.id]


def test_a_machine_of_which_nothing_is_free_is_shown_only_to_whoever_asks_for_it() -> None:
    room, full = listed(price=20_000), listed()
    placement(full, cpus=full.cpus_total)
    no_gpu = listed(price=30_000, of=hardware(gpus=1))
    placement(no_gpu, cpus=1, gpus=1)
    too_few = listed(price=40_000, of=hardware(gpus=2))
    placement(too_few, cpus=1, gpus=1)
    assert found(OfferQuery()) == [room.id, too_few.id]
    set_terms(host_id=too_few.host_id, machine_id=too_few.id, now=NOW, gpus_min=2)
    assert found(OfferQuery()) == [room.id]
    assert found(OfferQuery(rented=True)) == [full.id, room.id, no_gpu.id, too_few.id]
    for said, those in {
        "rented=false": [room.id],
        "rented=true": [full.id, no_gpu.id, too_few.id],
        "rented=any": [full.id, room.id, no_gpu.id, too_few.id],
    }.items():
        assert found(OfferQuery(conditions=parse(said).conditions)) == those
    # Whoever bids for it goes for whoever does not.
    Machine.objects.filter(id=no_gpu.id).update(gpus_interruptible=1)
    assert found(OfferQuery()) == [room.id, no_gpu.id]


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        (OfferQuery(conditions=wanted(gpu_model="h100")), True),
        (OfferQuery(conditions=wanted(gpu_model="A100")), False),
        (OfferQuery(conditions=wanted(gpus_min=2)), True),
        (OfferQuery(conditions=wanted(gpus_min=3)), False),
        (OfferQuery(conditions=wanted(vram_bytes_min=80 * GIB)), True),
        (OfferQuery(conditions=wanted(vram_bytes_min=81 * GIB)), False),
        (OfferQuery(conditions=wanted(cpus_min=4)), True),
        (OfferQuery(conditions=wanted(cpus_min=5)), False),
        (OfferQuery(conditions=wanted(memory_bytes_min=8 * GIB)), True),
        (OfferQuery(conditions=wanted(memory_bytes_min=9 * GIB)), False),
        (OfferQuery(conditions=wanted(disk_bytes_min=100 * GIB)), True),
        (OfferQuery(conditions=wanted(disk_bytes_min=101 * GIB)), False),
        (OfferQuery(conditions=wanted(price_hour_microusd_max=10_000)), True),
        (OfferQuery(conditions=wanted(price_hour_microusd_max=9_999)), False),
        (OfferQuery(words=("h100", "epyc")), True),
        (OfferQuery(words=("h100", "xeon")), False),
    ],
)
def test_every_filter_keeps_what_matches_and_only_that(query: OfferQuery, matches: bool) -> None:
    listed(of=hardware(gpus=2))
    assert bool(found(query)) is matches


def test_offers_are_sorted_by_price() -> None:
    dear, cheap = listed(price=30_000), listed(price=20_000)
    assert found(OfferQuery()) == [cheap.id, dear.id]


def test_a_page_has_the_cheapest_for_all_that_is_asked_first() -> None:
    roomy = listed(price=30_000)
    small = listed(price=25_000, of=hardware(memory_bytes=6 * GIB))
    assert found(OfferQuery()) == [small.id, roomy.id]
    # All of the one costs more than three quarters of the other.
    asked = OfferQuery(conditions=wanted(memory_bytes_min=6 * GIB))
    assert found(asked) == [roomy.id, small.id]


def test_offers_are_sorted_by_price_per_measured_performance_unmeasured_last() -> None:
    slow = listed(price=20_000, rate=1_000_000)
    fast = listed(price=30_000, rate=8_000_000)
    gpu = listed(price=1, of=hardware(gpus=1))
    assert found(OfferQuery(sort=OfferSort.VALUE)) == [fast.id, slow.id, gpu.id]


@pytest.mark.parametrize("sort", list(OfferSort))
def test_pages_by_cursor_show_every_offer_once_even_at_equal_prices(sort: OfferSort) -> None:
    everything = {listed(price=1000 + n % 2).id for n in range(7)}
    query, seen = OfferQuery(sort=sort, rows_max=2), []
    for _ in range(4):
        page = queries.search(query, now=NOW)
        seen += [row.machine_id for row in page.items]
        query = replace(query, cursor=page.next_cursor)
    assert page.next_cursor is None
    assert (len(seen), set(seen)) == (7, everything)


def test_a_search_takes_as_many_queries_however_many_offers_match() -> None:
    taken = []
    for _ in range(2):
        listed(of=hardware(gpus=1))
        query = OfferQuery(conditions=wanted(gpus_min=1))
        with CaptureQueriesContext(connection) as captured:
            queries.search(query, now=NOW)
        taken.append(len(captured))
    assert taken[0] == taken[1] <= 6


def test_a_pass_mends_what_a_lost_refresh_left() -> None:
    on = listed()
    expel(hotkey=Judge().keypair.ss58_address)
    assert found(OfferQuery()) == [on.id]
    assert refresh_all(now=NOW) == 1
    assert found(OfferQuery()) == []
    assert refresh_all(now=NOW) == 0


def test_only_a_listed_online_verified_offer_is_rentable() -> None:
    on = listed()
    offer = Offer.objects.get()
    assert queries.rentable(offer.id, now=NOW) == offer
    with pytest.raises(MachineUnverified):
        queries.rentable(offer.id, now=after(3600))
    Machine.objects.update(online=False)
    with pytest.raises(MachineOffline):
        queries.rentable(offer.id, now=NOW)
    set_terms(host_id=on.host_id, machine_id=on.id, now=NOW, listed=False)
    with pytest.raises(queries.OfferUnknown):
        queries.rentable(offer.id, now=NOW)
    with pytest.raises(queries.OfferUnknown):
        queries.row(offer.id, now=NOW)


def test_a_host_may_not_price_the_machine_of_another() -> None:
    on = listed()
    stranger = user("other@example.org").id
    for terms in ({"bid_floor_microusd": 1}, {}):
        with pytest.raises(queries.OfferUnknown):
            set_terms(host_id=stranger, machine_id=on.id, now=NOW, **terms)
    assert list(queries.of_host(stranger)) == []
    assert queries.of_host(on.host_id).count() == 1


def test_a_term_that_is_left_out_stays() -> None:
    on = listed()
    set_terms(host_id=on.host_id, machine_id=on.id, now=NOW, bid_floor_microusd=7)
    set_terms(host_id=on.host_id, machine_id=on.id, now=NOW, listed=None)
    assert Offer.objects.get().bid_floor_microusd == 7
    set_terms(host_id=on.host_id, machine_id=on.id, now=NOW, bid_floor_microusd=None)
    assert Offer.objects.get().bid_floor_microusd is None


@pytest.mark.parametrize(
    "terms",
    [
        {"bid_floor_microusd": -1},
        {"longest_term_s": 0},
        {"price_gpu_hour_microusd": 10**10},
        {"price_gpu_hour_microusd": 0},
        {"price_cpu_hour_microusd": 0},
    ],
)
def test_terms_out_of_bounds_are_refused(terms: dict[str, int]) -> None:
    on = listed()
    with pytest.raises(TermsInvalid):
        set_terms(host_id=on.host_id, machine_id=on.id, now=NOW, **terms)


def test_a_refresh_of_a_machine_without_offer_does_nothing() -> None:
    refresh(machine_id=machine().id, now=NOW)
    assert not Offer.objects.exists()


def test_a_search_names_the_price_of_what_it_asks_for() -> None:
    on = listed(price=10_000)
    (row,) = queries.search(OfferQuery(verified=False), now=NOW).items
    assert row.price_asked_hour_microusd is None
    most_memory = OfferQuery(
        verified=False, conditions=wanted(cpus_min=1, memory_bytes_min=6 * GIB)
    )
    (row,) = queries.search(most_memory, now=NOW).items
    # 6 of 8 GiB are as much of the machine as 3 of its 4 CPUs.
    assert row.price_asked_hour_microusd == 30_000
    offer = Offer.objects.get(machine=on)
    alone = queries.row(offer.id, now=NOW, asked=most_memory.asked)
    assert alone.price_asked_hour_microusd == 30_000


def test_a_host_says_where_the_machine_is_and_may_take_it_back() -> None:
    on = listed()
    mine = {"host_id": on.host_id, "machine_id": on.id, "now": NOW}
    with pytest.raises(TermsInvalid, match="two letters, such as DE"):
        set_terms(country="Germany", **mine)
    set_terms(country="de", **mine)
    set_terms(price_cpu_hour_microusd=1, **mine)
    assert found(OfferQuery(conditions=wanted(country="DE"))) == [on.id]
    assert found(OfferQuery(conditions=wanted(region="AF"))) == []
    set_terms(country="", **mine)
    assert found(OfferQuery(conditions=wanted(country="DE"))) == []
    assert found(ALL) == [on.id]


def test_a_line_is_the_middle_of_what_validators_measured_of_it_lately() -> None:
    on, judge = listed(), Judge()
    stranger = Judge(keypair=bittensor_core.Keypair.create_from_uri("//Stranger"))
    admit(hotkey=stranger.keypair.ss58_address, name="No stake", now=NOW, stake=0)
    speeds = [(judge, one) for one in (900, 20, 40, 0, 30, 10, 50)] + [(stranger, 7000)]
    for second, (by, speed) in enumerate(speeds, start=1):
        measured = Measurement(
            cpus=4, cpu_hash_rate=8_000_000, network_down_mb_s=speed, network_up_mb_s=speed // 10
        )
        at_ms = int(after(second).timestamp() * 1000)
        signed = by.verdict(on, measurement=measured, checked_at_ms=at_ms)
        record(signed=signed, now=after(second))
    refresh(machine_id=on.id, now=after(20))
    (row,) = queries.search(OfferQuery(), now=after(20)).items
    assert (row.network_down_mbit_s, row.network_up_mbit_s) == (30 * 8, 3 * 8)
    quick = wanted(network_down_mbit_s_min=240, network_up_mbit_s_min=24)
    assert found(OfferQuery(conditions=quick), at=20) == [on.id]
    assert found(OfferQuery(conditions=wanted(network_down_mbit_s_min=241)), at=20) == []
