"""This will measure a search for offers among a million of them, against hand-written SQL.

Run it with ``python -m benchmarks.search --offers 1000000 --searches 400 --rounds 5``. Each search
has five conditions: of the GPU, how many, the price, the memory and the reliability, and is sorted
by price or by what ``--sort`` names. The floor asks the same tables for the same rows with the same
plan, by hand, and builds no objects. Both run in turns, and must find the same. With
``--full 150000`` so many of the cheapest are fully rented; the market's first page is measured too,
without such offers and with.
"""

import argparse
import json
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from benchmarks.cloning import clone, database, named, vacuum

GIB, NOW = 1 << 30, datetime(2026, 3, 1, 12, tzinfo=UTC)
ROWS = 25
#: name, GB, and the price of an hour in cents of the cheapest and the dearest
CARDS = [
    ("NVIDIA GeForce RTX 3060", 12, 5, 15),
    ("NVIDIA GeForce RTX 3090", 24, 10, 35),
    ("NVIDIA GeForce RTX 4090", 24, 20, 70),
    ("NVIDIA GeForce RTX 3080", 10, 6, 20),
    ("NVIDIA GeForce RTX 5090", 32, 30, 90),
    ("NVIDIA A100-SXM4-80GB", 80, 60, 180),
    ("NVIDIA H100 80GB HBM3", 80, 120, 320),
    ("NVIDIA GeForce RTX 3070", 8, 4, 14),
    ("NVIDIA RTX A6000", 48, 35, 90),
    ("NVIDIA L40S", 45, 45, 120),
    ("NVIDIA GeForce RTX 4080", 16, 12, 40),
    ("NVIDIA A40", 45, 25, 60),
    ("NVIDIA H200", 141, 180, 420),
    ("NVIDIA RTX A5000", 24, 12, 40),
    ("NVIDIA GeForce RTX 4070", 12, 8, 22),
    ("NVIDIA RTX A4000", 16, 7, 22),
    ("NVIDIA L4", 23, 20, 50),
    ("NVIDIA A10", 23, 18, 45),
    ("NVIDIA Tesla V100-SXM2-32GB", 32, 12, 40),
    ("NVIDIA Tesla V100-SXM2-16GB", 16, 8, 30),
    ("Tesla T4", 15, 7, 25),
    ("NVIDIA B200", 180, 300, 600),
    ("NVIDIA A100-PCIE-40GB", 40, 40, 120),
    ("NVIDIA GeForce RTX 2080 Ti", 11, 4, 15),
    ("NVIDIA RTX 6000 Ada Generation", 48, 50, 130),
    ("NVIDIA H100 NVL", 94, 130, 330),
    ("NVIDIA GeForce GTX 1080 Ti", 11, 3, 10),
    ("NVIDIA RTX PRO 6000 Blackwell", 96, 90, 220),
    ("NVIDIA Tesla P40", 24, 5, 15),
    ("NVIDIA GeForce RTX 5080", 16, 15, 45),
]
FLOOR = """
WITH best AS (
    SELECT found.id, found.key
    FROM unnest(%(models)s::text[], %(sizes)s::bigint[]) AS kind(gpu_model, vram_bytes)
    CROSS JOIN LATERAL (
        SELECT o.id, o.{column} AS key
        FROM offers_offer o JOIN machines_machine m ON m.id = o.machine_id
        WHERE o.listed AND NOT o.private AND m.online AND o.verified_until > %(now)s
          AND o.gpu_model = kind.gpu_model AND o.vram_bytes = kind.vram_bytes
          AND m.gpus_free >= %(gpus)s AND m.memory_bytes_free >= %(memory)s
          AND o.has_room
          AND o.price_hour_microusd <= %(price)s AND o.away_ppm <= %(away)s
        ORDER BY o.{column}, o.id LIMIT %(rows)s
    ) AS found
    ORDER BY found.key, found.id LIMIT %(rows)s
)
SELECT o.id, o.machine_id, o.gpu_model, o.vram_bytes, o.price_hour_microusd, o.away_ppm,
    o.longest_term_s, o.verified_until, m.cpu_model, m.gpus_total, m.gpus_free, m.cpus_total,
    m.cpus_free, m.memory_bytes_free, m.disk_bytes_free
FROM best JOIN offers_offer o ON o.id = best.id JOIN machines_machine m ON m.id = o.machine_id
ORDER BY best.key, best.id
"""


def main() -> None:
    """Print both p50 and p99 in milliseconds and the ratios of their p99, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--offers", type=int, default=1_000_000)
    parser.add_argument("--searches", type=int, default=400, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--sort", default="price", choices=["price", "value", "reliability", "start"]
    )
    parser.add_argument("--full", type=int, default=0, help="of the cheapest")
    options = parser.parse_args()
    with database() as url:
        fill(options.offers)
        if options.full:
            _rent(options.full)
        found = _measure(url, options.sort, options.searches, options.rounds)
        found |= {"sort": options.sort, "full": options.full} | _first_pages(options.searches)
        print(json.dumps({"offers": options.offers} | found, indent=2))


def fill(offers: int) -> None:
    """Make offers of thirty models, as many of each as Zipf's law has it."""
    from django.db import connection

    from marketplace.offers.actions.list_offer import list_offer
    from marketplace.offers.models import UNMEASURED, Offer
    from tests.marketplace import scene

    first = scene.machine(of=scene.hardware(gpus=8))
    offer = list_offer(machine_id=first.id, now=scene.NOW)
    Offer.objects.update(listed=False)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE card (number int, model text, vram bigint, low int, high int)")
        for number, (model, gb, low, high) in enumerate(CARDS, start=1):
            cursor.execute(
                "INSERT INTO card VALUES (%s, %s, %s, %s, %s)",
                [number, model, gb * GIB - GIB // 100, low, high],
            )
        # Number n of the cards has a share of 1/n. Drawn first, so that both tables get the same.
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(
            f"""
            CREATE TABLE drawn AS
            SELECT i, card.model, card.vram, gpus, floor(random() * (gpus + 1))::int AS gpus_free,
                floor(random() * gpus * 64)::bigint * {GIB} AS memory_free,
                random() < 0.95 AS online,
                10000 * (low + floor((high - low) * random())::int) + mod(i, 997) AS price,
                CASE WHEN random() < 0.9 THEN %s::timestamptz END AS verified_until,
                floor(power(random(), 3) * 100000)::int AS away,
                floor(random() * 1000000)::bigint AS value,
                CASE WHEN random() < 0.7 THEN 2000 + floor(power(random(), 3) * 120000)::bigint
                    ELSE %s END AS start
            FROM (
                SELECT i, least(30, floor(power(31.0, random())))::int AS number,
                    (ARRAY[1,1,1,1,2,2,4,8])[1 + floor(random() * 8)::int] AS gpus
                FROM generate_series(1, %s) AS i
            ) AS one JOIN card USING (number)
            """,
            [NOW + timedelta(days=1), UNMEASURED, offers],
        )
        cursor.execute("ALTER TABLE drawn ADD PRIMARY KEY (i)")
    clone(
        first,
        of="drawn",
        id=named("machine"),
        machine_key="md5('a' || i) || md5('b' || i)",
        gpu_model="drawn.model",
        vram_bytes="drawn.vram",
        gpus_total="drawn.gpus",
        gpus_free="drawn.gpus_free",
        memory_bytes_total=f"drawn.gpus * {64 * GIB}",
        memory_bytes_free="drawn.memory_free",
        online="drawn.online",
    )
    clone(
        offer,
        of="drawn",
        id=named("offer"),
        machine_id=named("machine"),
        listed="true",
        gpu_model="drawn.model",
        vram_bytes="drawn.vram",
        price_hour_microusd="drawn.price",
        verified_until="drawn.verified_until",
        away_ppm="drawn.away",
        value_microusd="drawn.value",
        start_p50_ms="drawn.start",
    )
    vacuum()


def _rent(full: int) -> None:
    """Let nothing be free of so many of the cheapest."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE machines_machine SET gpus_free = 0, cpus_free = 0 WHERE id IN (
                SELECT machine_id FROM offers_offer WHERE listed
                ORDER BY price_hour_microusd, id LIMIT %s
            )
            """,
            [full],
        )
    vacuum()


def _first_pages(searches: int) -> dict[str, dict[str, float]]:
    from marketplace.domain.offer_query import OfferQuery
    from marketplace.offers import queries

    found = {}
    for name, rented in (("first_page_ms", False), ("first_page_rented_too_ms", True)):
        query, took = OfferQuery(rented=rented, rows_max=ROWS), []
        for _ in range(searches):
            began = time.perf_counter()
            assert queries.search(query, now=NOW).items
            took.append(time.perf_counter() - began)
        found[name] = {f"p{cut}": round(_cut(took, cut) * 1000, 2) for cut in (50, 99)}
    return found


def _measure(url: str, sort: str, searches: int, rounds: int) -> dict[str, Any]:
    drawn = random.Random(7)
    asked = [_search(drawn) for _ in range(searches)]
    took: dict[str, list[float]] = {"ours": [], "floor": []}
    ratios = []
    with psycopg.connect(url, autocommit=True) as connection:
        # The same plan: left alone it may read whole kinds and sort them.
        for setting in ("enable_sort", "enable_bitmapscan", "jit"):
            connection.execute(f"SET {setting} = off")
        # warm both: the first reads what is on the disk
        for one in asked:
            assert _ours(one, sort) == _floor(connection, one, sort), one
        for number in range(rounds):
            round_: dict[str, list[float]] = {"ours": [], "floor": []}
            for one in asked:
                for name in ("ours", "floor") if number % 2 else ("floor", "ours"):
                    began = time.perf_counter()
                    if name == "ours":
                        _ours(one, sort)
                    else:
                        _floor(connection, one, sort)
                    round_[name].append(time.perf_counter() - began)
            ratios.append(_cut(round_["ours"], 99) / _cut(round_["floor"], 99))
            for name, some in round_.items():
                took[name] += some
    found: dict[str, Any] = {"searches": searches, "rounds": rounds}
    for name, some in took.items():
        found[name + "_ms"] = {
            f"p{percent}": round(_cut(some, percent) * 1000, 2) for percent in (50, 95, 99)
        }
    found["p99_ratio"] = [
        round(one, 2) for one in (statistics.median(ratios), min(ratios), max(ratios))
    ]
    found["ours_p99_to_p50"] = round(_cut(took["ours"], 99) / _cut(took["ours"], 50), 1)
    return found


def _cut(some: list[float], percent: int) -> float:
    return statistics.quantiles(some, n=100)[percent - 1]


def _search(drawn: random.Random) -> dict[str, Any]:
    """Return five conditions, of the GPU either by its name or by its memory."""
    model, gb, low, high = CARDS[drawn.randrange(len(CARDS))]
    by_name = drawn.random() < 0.5
    return {
        "gpu": f'gpu_name~"{model}"' if by_name else f"gpu_ram>={gb}",
        "kinds": [(m, g) for m, g, _, _ in CARDS if (model in m if by_name else g >= gb)],
        "gpus": drawn.choice([1, 1, 1, 2, 4]),
        "memory": drawn.choice([8, 16, 32, 64]) * GIB,
        "price": drawn.choice([high, (low + high) // 2, high * 2]) * 10_000,
        "away": drawn.choice([100_000, 20_000, 10_000]),
    }


def _ours(one: dict[str, Any], sort: str) -> list[object]:
    from marketplace.domain import query_language
    from marketplace.domain.offer_query import OfferQuery, OfferSort
    from marketplace.offers import queries

    text = (
        f"{one['gpu']} num_gpus>={one['gpus']} cpu_ram>={one['memory'] // GIB}GiB"
        f" unit_price<={one['price'] / 1e6:.6f} reliability>={1 - one['away'] / 1e6:.6f}"
    )
    written = query_language.parse(text)
    query = OfferQuery(conditions=written.conditions, sort=OfferSort(sort), rows_max=ROWS)
    return [row.id for row in queries.search(query, now=NOW).items]


def _floor(connection: psycopg.Connection[Any], one: dict[str, Any], sort: str) -> list[object]:
    from marketplace.domain.offer_query import OfferSort
    from marketplace.offers.search import SORTED_BY

    values = {
        "models": [model for model, _ in one["kinds"]],
        "sizes": [gb * GIB - GIB // 100 for _, gb in one["kinds"]],
        "rows": ROWS + 1,
        "now": NOW,
    }
    rows = connection.execute(
        FLOOR.format(column=SORTED_BY[OfferSort(sort)]), one | values
    ).fetchall()
    return [row[0] for row in rows[:ROWS]]


if __name__ == "__main__":
    main()
