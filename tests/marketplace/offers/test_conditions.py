"""Every condition of a search finds what fulfils it and nothing else, on both databases."""

import base64
from dataclasses import replace
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.accounts.actions.count_attempt import count
from marketplace.accounts.models import AttemptCount, User
from marketplace.domain.offer_query import OfferQuery, OfferSort
from marketplace.domain.query_language import parse
from marketplace.machines.models import Machine
from marketplace.offers import bounded, kinds, queries, search
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.bounded import SLOW
from marketplace.offers.models import UNMEASURED, Offer
from tests.marketplace.scene import GIB, NOW, after, hardware, machine

pytestmark = pytest.mark.django_db
#: longer than any search takes
ENDLESS_MS = 10**9


def offered(name: str = "NVIDIA GeForce RTX 4090", gib: float = 23.99, **changed: object) -> UUID:
    """Return the machine of an offer of four GPUs whose columns are these."""
    on = machine(of=hardware(cpus=16, gpus=4))
    list_offer(machine_id=on.id, now=NOW)
    of_machine = {field for field in changed if field in {one.name for one in Machine._meta.fields}}
    Machine.objects.filter(id=on.id).update(**{field: changed.pop(field) for field in of_machine})
    columns = {"gpu_model": name, "vram_bytes": int(gib * GIB), "listed": True, **changed}
    columns.setdefault("price_hour_microusd", 200_000)
    Offer.objects.filter(machine_id=on.id).update(**columns)
    return on.id


def found(text: str, sort: OfferSort = OfferSort.PRICE) -> list[UUID]:
    written = parse(text)
    query = OfferQuery(written.words, written.conditions, verified=False, sort=sort)
    return [row.machine_id for row in queries.search(query, now=NOW).items]


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("gpu_name=RTX_4090", True),
        ("gpu_name=RTX_3090", False),
        ("gpu_name!=RTX_4090", False),
        ("gpu_name in [H100, RTX_4090]", True),
        ("gpu_name notin [H100]", True),
        ("gpu_name~geforce", True),
        ("gpu_name~quadro", False),
        ("gpu_ram>=24", True),
        ("gpu_ram=24", True),
        ("gpu_ram>24", False),
        ("gpu_ram<24", False),
        ("gpu_ram in [16,24]", True),
        ("gpu_ram!=24", False),
        ("gpu_total_ram>=96", True),
        ("gpu_total_ram=96", True),
        ("gpu_total_ram>96", False),
        ("gpu_total_ram<96", False),
        ("num_gpus>=4", True),
        ("num_gpus>4", False),
        ("num_gpus=3", True),
        ("num_gpus<=1", True),
        ("num_gpus=0", False),
        ("num_gpus in [0,2]", True),
        ("cpu_cores>=16", True),
        ("cpu_cores>=17", False),
        ("cpu_ram>=8GiB", True),
        ("cpu_ram>8GiB", False),
        ("disk_space>=100GiB", True),
        ("disk_space>=101GiB", False),
        ("cpu_name~EPYC", True),
        ("cpu_name=xeon", False),
        ("unit_price<=0.2", True),
        ("unit_price<0.2", False),
        ("dph<=0.2", True),
        ("dph<0.2", False),
        ("num_gpus>=2 dph<=0.4", True),
        ("num_gpus>=2 dph<=0.399", False),
        # Half of the memory is half of four GPUs.
        ("cpu_ram>=4GiB num_gpus=1 dph<=0.4", True),
        ("cpu_ram>=4GiB num_gpus=1 dph<0.4", False),
        ("min_bid<=1", False),
        ("storage_cost<=0", True),
        ("inet_cost>0", False),
        ("duration>=30", True),
        ("duration>30", False),
        ("cuda_vers>=12.4", True),
        ("cuda_vers>12.4", False),
        ("tops>=1", False),
        ("gpu_mem_bw<5000", False),
        ("start_time<100000", False),
        ("inet_down<100000", False),
        ("inet_up>=0", False),
        ("geolocation=DE", False),
        ("geolocation!=DE", False),
        ("region notin [EU]", False),
        ("geolocation=any region=any", True),
        ("interruptible=true", False),
        ("interruptible=false", True),
        ("reserved=true", False),
        ("reserved=false", True),
        ("verified=true", False),
        ("verified=false", True),
        ("rtx epyc", True),
        ("rtx xeon", False),
    ],
)
def test_a_condition_finds_what_fulfils_it(text: str, matches: bool) -> None:
    on = offered()
    assert found(text) == ([on] if matches else [])


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("tops>=660", True),
        ("tops>660", False),
        ("gpu_mem_bw>=1000", True),
        ("gpu_mem_bw>1000", False),
        ("start_time<=4.2", True),
        ("start_time<4.2", False),
        ("min_bid<=0.1", True),
        ("min_bid<0.1", False),
        ("reliability>=0.99", True),
        ("reliability>0.99", False),
        ("reliability<0.99", False),
        ("reliability<=99%", True),
        ("inet_down>=800", True),
        ("inet_down>800", False),
        ("inet_up>=80 inet_up<=80", True),
        ("inet_up>80", False),
        ("interruptible=true reserved=true", True),
        ("interruptible=false", False),
        ("reserved=false", False),
        ("geolocation=DE", True),
        ("geolocation!=FR", True),
        ("geolocation in [FR,DE]", True),
        ("geolocation notin [FR,DE]", False),
        ("geolocation=FR", False),
        ("region=EU", True),
        ("region!=europe", False),
        ("region in [Asia, North_America]", False),
        ("region=EU geolocation!=DE", False),
        ("region=EU geolocation!=AT gpu_name=RTX_4090", True),
        ("region=OC gpu_name=RTX_4090", False),
        # Nowhere at all, which is not everywhere.
        ("geolocation=DE geolocation=FR", False),
    ],
)
def test_what_was_measured_is_found_by_its_figure(text: str, matches: bool) -> None:
    on = offered(
        int8_gops=660_000,
        bandwidth_mb_s=1_000_000,
        start_p50_ms=4200,
        bid_floor_microusd=100_000,
        away_ppm=10_000,
        network_down_mbit_s=800,
        network_up_mbit_s=80,
        country="DE",
        discounts=[{"days": 30, "discount_ppm": 200_000}],
    )
    assert found(text) == ([on] if matches else [])


def test_a_host_that_rents_no_small_slices_is_found_by_large_ones() -> None:
    on = offered(gpus_min=2)
    assert found("num_gpus=1") == found("num_gpus<2") == []
    assert found("num_gpus=2") == found("num_gpus>=1") == [on]


def test_a_machine_without_gpus_has_none_of_a_kind() -> None:
    plain = machine().id
    list_offer(machine_id=plain, now=NOW)
    carded = offered()
    assert found("num_gpus=0") == [plain]
    assert found("num_gpus>=0") == found("") == [plain, carded]
    assert found("num_gpus>=1") == found("gpu_ram>=1") == [carded]
    assert found("gpu_name!=H100") == [plain, carded]


@pytest.mark.parametrize("sort", list(OfferSort))
def test_the_best_of_several_kinds_come_in_order_page_by_page(sort: OfferSort) -> None:
    column = search.SORTED_BY[sort]
    names = ("NVIDIA H100 80GB HBM3", "NVIDIA H100 NVL", "NVIDIA A100-PCIE-40GB")
    ranked = [
        offered(names[number % 3], 80 if number % 3 < 2 else 40, **{column: 1000 * (number % 5)})
        for number in range(12)
    ]
    keys = dict(Offer.objects.values_list("machine_id", column))
    wished = [one for number, one in enumerate(ranked) if number % 3 < 2]
    query, seen = OfferQuery(conditions=parse("gpu_ram>=80").conditions, verified=False), []
    for _ in range(4):
        page = queries.search(
            OfferQuery(
                conditions=query.conditions,
                verified=False,
                sort=sort,
                cursor=query.cursor,
                rows_max=2,
            ),
            now=NOW,
        )
        seen += [row.machine_id for row in page.items]
        query = OfferQuery(conditions=query.conditions, verified=False, cursor=page.next_cursor)
    assert page.next_cursor is None
    assert sorted(seen) == sorted(wished)
    assert [keys[one] for one in seen] == sorted(keys[one] for one in wished)


@pytest.mark.parametrize("more", ["", " verified=any"])
def test_the_best_of_several_countries_come_in_order_page_by_page(more: str) -> None:
    countries = ("DE", "FR", "US", "", "JP")
    prices = {
        offered(country=countries[number % 5], price_hour_microusd=1000 * (number % 4)): number
        for number in range(15)
    }
    conditions = parse(f"geolocation in [US,DE,FR,IS] region!=NA{more}").conditions
    query = OfferQuery(conditions=conditions, verified=False, rows_max=2)
    seen: list[UUID] = []
    while True:
        page = queries.search(query, now=NOW)
        seen += [row.machine_id for row in page.items]
        if page.next_cursor is None:
            break
        query = replace(query, cursor=page.next_cursor)
    assert sorted(prices[one] for one in seen) == [0, 1, 5, 6, 10, 11]
    assert [prices[one] % 4 for one in seen] == [0, 1, 1, 2, 2, 3]


def test_what_nobody_measured_comes_last() -> None:
    unknown, slow, quick = offered(), offered(start_p50_ms=9000), offered(start_p50_ms=400)
    assert Offer.objects.get(machine_id=unknown).start_p50_ms == UNMEASURED
    assert found("num_gpus>=1", OfferSort.START) == [quick, slow, unknown]


def test_kinds_that_nobody_lists_are_not_looked_for() -> None:
    offered(listed=False)
    assert found("gpu_name=RTX_4090") == []


def test_made_up_kinds_hide_none_that_a_validator_vouches_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinds, "KINDS_MAX", 3)
    vouched = offered(verified_until=after(3600))
    for number in range(4):
        offered(f"A made-up card {number}")
    assert found("gpu_name=RTX_4090") == [vouched]
    assert found("gpu_name=RTX_4090 verified=true") == [vouched]
    query = OfferQuery(conditions=parse("num_gpus>=1").conditions)
    assert [row.machine_id for row in queries.search(query, now=NOW).items] == [vouched]


@pytest.mark.parametrize("path", ["/api/v1/offers", "/offers/"])
def test_an_address_with_too_many_slow_searches_has_to_wait(
    client: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long these take, only what is counted here counts.
    monkeypatch.setattr(bounded, "QUICK_MS", ENDLESS_MS)
    asked = {"q": "epyc"}
    for _ in range(SLOW.attempts_max // search.SEARCH_MS_MAX):
        assert b"Too many attempts" not in client.get(path, asked).content
        count(limit=SLOW, subject="127.0.0.1", now=timezone.now(), weight=search.SEARCH_MS_MAX)
    assert b"Too many attempts" in client.get(path, asked).content
    elsewhere = client.get(path, asked, REMOTE_ADDR="192.0.2.7")
    assert (elsewhere.status_code, b"Too many attempts" in elsewhere.content) == (200, False)


def test_a_search_that_walks_is_counted_by_its_time_even_if_it_is_not_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "QUICK_MS", ENDLESS_MS)
    client.get("/offers/", {"q": "epyc"})
    assert not AttemptCount.objects.exists()
    monkeypatch.setattr(bounded, "QUICK_MS", 0)
    client.get("/offers/")
    assert not AttemptCount.objects.exists()
    client.get("/offers/", {"q": "epyc"})
    assert AttemptCount.objects.get().attempts > 0


def test_a_cursor_nested_deeper_than_can_be_read_is_none(client: Client) -> None:
    deep = base64.b64encode(b"[" * 30_000).decode()
    assert client.get("/offers/", {"cursor": deep}).status_code == 302


def test_a_machine_or_all_of_a_host_is_left_out(alice: User, bob: User) -> None:
    mine, other = offered(price_hour_microusd=1), offered(price_hour_microusd=2)
    Machine.objects.filter(id=mine).update(host=alice)
    Machine.objects.filter(id=other).update(host=bob)
    offer_id = Offer.objects.get(machine_id=mine).id
    for text in (
        *(f"machine_id notin [{mine}]", f"machine_id!={mine.hex[:8]}"),
        *(f"machine_id notin [{UUID(int=0)},{mine.hex[:12]}]", f"machine_id={other}"),
        *(f"id notin [{str(offer_id)[:8]}]", f"id!={offer_id.hex.upper()}"),
        *(f"host_id notin [{alice.pk}]", f"host_id={bob.pk}", f"host_id in [{bob.pk},0]"),
    ):
        assert found(text) == [other], text
    for text in (f"machine_id in [{mine},{other}]", f"host_id notin [{bob.pk + 1000}]"):
        assert found(text) == [mine, other], text
    (row,) = queries.search(
        OfferQuery(conditions=parse(f"id={offer_id}").conditions, verified=False), now=NOW
    ).items
    assert row.host_id == alice.pk


@pytest.mark.parametrize(
    ("q", "named", "of_gpus"),
    [
        ("gpu_name=H100", {}, True),
        ("4090", {}, True),
        ("cpu_ram>=64GiB geolocation=DE", {"ram_bytes_min": 64 * GIB}, False),
        (
            "num_gpus in [4,8] cpus=16 disk>=200 gpu_ram>=24",
            {"gpus_min": 4, "cpus_min": 16, "disk_bytes_min": 200 * 10**9},
            True,
        ),
    ],
)
def test_a_page_says_how_much_is_asked_for(q: str, named: dict[str, int], *, of_gpus: bool) -> None:
    page = Client().get("/api/v1/offers", {"q": q, "limit": 1}).json()
    told = {name: amount for name, amount in page["asked"].items() if amount is not None}
    assert (told, page["of_gpus"]) == (named, of_gpus)
