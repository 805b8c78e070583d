"""This will measure how fast clients reserve one hot machine, and 10,000, against bare SQL.

Run it with ``python -m benchmarks.reserve --requests 1000 --rounds 5``. Ours is a whole placement:
lock, room, ports, GPU, lease, event. The floor only compares and swaps what the machine has free.
Both run in turns from as many threads of one process; each request asks for a whole machine.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.cloning import clone, database, named, vacuum

CLIENTS, MACHINES = 32, 10_000
FLOOR = """
UPDATE machines_machine SET cpus_free = cpus_free - 4, gpus_free = gpus_free - 1
WHERE id = %s AND online AND cpus_free >= 4 AND gpus_free >= 1
"""
#: one request: whether it won
Reserve = Callable[[UUID], bool]


def main() -> None:
    """Print requests a second, their ratios, and how long losers waited, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with database() as url:
        _fill()
        print(json.dumps(_measure(url, options.requests, options.rounds), indent=2))


def _fill() -> None:
    """Make many machines with four cores and a GPU."""
    from marketplace.machines.models import Gpu
    from tests.marketplace import scene

    first = scene.machine(of=scene.hardware(gpus=1))
    clone(first, MACHINES, id=named("machine"), machine_key="md5('a' || i) || md5('b' || i)")
    clone(Gpu.objects.get(machine=first), MACHINES, machine_id=named("machine"))


def _measure(url: str, requests: int, rounds: int) -> dict[str, Any]:
    from marketplace.machines.models import Machine

    machine_ids = list(Machine.objects.order_by("id").values_list("id", flat=True))
    rates: dict[tuple[str, str], list[float]] = {}
    lost: dict[str, list[float]] = {"ours": [], "floor": []}
    for number in range(rounds):
        for shape in ("hot", "spread"):
            first = number * requests % (len(machine_ids) - requests)
            asked = machine_ids[first : first + requests]
            if shape == "hot":
                asked = asked[:1] * requests
            for name in ("ours", "floor") if number % 2 else ("floor", "ours"):
                _empty()
                vacuum()
                took, outcomes = _at_once(asked, url if name == "floor" else None)
                _check(asked, outcomes, ours=name == "ours")
                rates.setdefault((shape, name), []).append(requests / took)
                if shape == "hot":
                    lost[name] += [waited for won, waited in outcomes if not won]
    found: dict[str, Any] = {"requests": requests, "rounds": rounds, "clients": CLIENTS}
    return found | _told(rates, lost)


def _told(
    rates: Mapping[tuple[str, str], Sequence[float]], lost: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for shape in ("hot", "spread"):
        ours, floor = rates[shape, "ours"], rates[shape, "floor"]
        ratios = [one / other for one, other in zip(ours, floor, strict=True)]
        spread = (statistics.median(ratios), min(ratios), max(ratios))
        found[f"{shape}_ours_a_second"] = round(statistics.median(ours))
        found[f"{shape}_floor_a_second"] = round(statistics.median(floor))
        found[f"{shape}_ratio"] = [round(one, 2) for one in spread]
    for name, waited in lost.items():
        cuts = statistics.quantiles(waited, n=100)
        found[f"losers_{name}_ms"] = {
            "p50": round(cuts[49] * 1000, 1),
            "p99": round(cuts[98] * 1000, 1),
        }
    return found


def _empty() -> None:
    """Give back all that was reserved."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE placements_placement CASCADE")
        cursor.execute("UPDATE machines_machine SET cpus_free = 4, gpus_free = 1, online = true")
        cursor.execute("UPDATE machines_machine SET memory_bytes_free = memory_bytes_total")
        cursor.execute("UPDATE machines_machine SET disk_bytes_free = disk_bytes_total")


def _at_once(asked: Sequence[UUID], url: str | None) -> tuple[float, list[tuple[bool, float]]]:
    """Return how long all requests took, and of each whether it won and how long it waited."""

    def work(some: Sequence[UUID]) -> list[tuple[bool, float]]:
        return _floor(url, some) if url else _ours(some)

    with ThreadPoolExecutor(CLIENTS) as pool:
        began = time.perf_counter()
        done = list(pool.map(work, [asked[number::CLIENTS] for number in range(CLIENTS)]))
        return time.perf_counter() - began, [one for some in done for one in some]


def _ours(some: Sequence[UUID]) -> list[tuple[bool, float]]:
    from django.db import connection

    from marketplace.domain.matching import OfferTaken
    from marketplace.machines.models import Machine
    from tests.marketplace import scene

    def reserve(machine_id: UUID) -> bool:
        try:
            scene.placement(Machine(id=machine_id), cpus=4, gpus=1)
        except OfferTaken:
            return False
        return True

    try:
        return _waited(reserve, some)
    finally:
        connection.close()


def _floor(url: str, some: Sequence[UUID]) -> list[tuple[bool, float]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return _waited(lambda one: connection.execute(FLOOR, [one]).rowcount == 1, some)


def _waited(reserve: Reserve, some: Sequence[UUID]) -> list[tuple[bool, float]]:
    found = []
    for machine_id in some:
        began = time.perf_counter()
        won = reserve(machine_id)
        found.append((won, time.perf_counter() - began))
    return found


def _check(asked: Sequence[UUID], outcomes: Sequence[tuple[bool, float]], *, ours: bool) -> None:
    """Accept that each machine was won once, and is held by exactly its winner."""
    from marketplace.machines.models import Machine
    from marketplace.placements.models import Lease, Placement, PlacementEvent

    won = len(set(asked))
    assert sum(one for one, _ in outcomes) == won, Counter(one for one, _ in outcomes)
    assert Machine.objects.filter(cpus_free=0, gpus_free=0).count() == won
    if ours:
        for model in (Placement, Lease, PlacementEvent):
            assert model.objects.count() == won, model


if __name__ == "__main__":
    main()
