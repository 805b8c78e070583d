"""This will measure how fast clients reserve one hot machine, and 10,000, against bare SQL.

Run it with ``python -m benchmarks.reserve --requests 1000 --rounds 5``. Ours is a whole placement:
room, ports, GPU, lease, event. The floor only compares and swaps what the machine has free. Both
run in turns from threads of as many processes as there are cores, as a site does, each with a
connection that was open and in use before the clock starts. Each request asks for a whole machine.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing.synchronize import Barrier
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.cloning import clone, database, named, vacuum

CLIENTS, MACHINES = 32, 10_000
PROCESSES = min(CLIENTS, os.cpu_count() or 1)
#: until all clients have had their first request
READY_S = 60
FLOOR = """
UPDATE machines_machine SET cpus_free = cpus_free - 4, gpus_free = gpus_free - 1
WHERE id = %s AND online AND cpus_free >= 4 AND gpus_free >= 1
"""
#: one request: whether it won
Reserve = Callable[[UUID], bool]
#: of a request: whether it won, when it began and when it ended, by a clock that processes share
Outcome = tuple[bool, float, float]
#: of this process: what its clients wait at for all others
_READY: list[Barrier] = []


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
    """Make many machines with four cores and a GPU, each of them offered."""
    from marketplace.machines.models import Gpu
    from marketplace.offers.actions.list_offer import list_offer
    from marketplace.offers.models import Offer
    from tests.marketplace import scene

    first = scene.machine(of=scene.hardware(gpus=1))
    offer = list_offer(machine_id=first.id, now=scene.NOW)
    clone(first, MACHINES, id=named("machine"), machine_key="md5('a' || i) || md5('b' || i)")
    clone(offer, MACHINES, id=named("offer"), machine_id=named("machine"))
    # What is taken of a machine that is listed moves its offer in each index of the search.
    Offer.objects.update(listed=True)
    clone(Gpu.objects.get(machine=first), MACHINES, machine_id=named("machine"))


def _measure(url: str, requests: int, rounds: int) -> dict[str, Any]:
    from marketplace.machines.models import Machine

    machine_ids = list(Machine.objects.order_by("id").values_list("id", flat=True))
    warming, machine_ids = machine_ids[:CLIENTS], machine_ids[CLIENTS:]
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
                took, outcomes = _at_once(asked, warming, url if name == "floor" else None)
                _check(asked, outcomes, ours=name == "ours")
                rates.setdefault((shape, name), []).append(requests / took)
                if shape == "hot":
                    lost[name] += [waited for won, waited in outcomes if not won]
    found: dict[str, Any] = {"requests": requests, "rounds": rounds}
    found |= {"clients": CLIENTS, "processes": PROCESSES}
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


def _at_once(
    asked: Sequence[UUID], first: Sequence[UUID], url: str | None
) -> tuple[float, list[tuple[bool, float]]]:
    """Return how long all requests took, and of each whether it won and how long it waited.

    Each client connects and has one request for a machine of its own before all begin at once.
    """
    from django.db import connections

    connections["default"].close()
    connections["default"].close_pool()  # type: ignore[attr-defined]
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(CLIENTS, timeout=READY_S)
    shares = [
        [(first[client], asked[client::CLIENTS]) for client in range(process, CLIENTS, PROCESSES)]
        for process in range(PROCESSES)
    ]
    with ProcessPoolExecutor(
        PROCESSES, mp_context=fork, initializer=_know, initargs=(ready,)
    ) as pool:
        done = [one for some in pool.map(partial(_process, url), shares) for one in some]
    took = max(ended for _, _, ended in done) - min(began for _, began, _ in done)
    return took, [(won, ended - began) for won, began, ended in done]


def _know(ready: Barrier) -> None:
    _READY.append(ready)


def _process(url: str | None, shares: Sequence[tuple[UUID, Sequence[UUID]]]) -> list[Outcome]:
    """Be as many clients as there are shares."""
    client = partial(_floor, url) if url else _ours
    with ThreadPoolExecutor(len(shares)) as pool:
        return [one for some in pool.map(client, *zip(*shares, strict=True)) for one in some]


def _ours(first: UUID, asked: Sequence[UUID]) -> list[Outcome]:
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
        return _timed(reserve, first, asked)
    finally:
        connection.close()


def _floor(url: str, first: UUID, asked: Sequence[UUID]) -> list[Outcome]:
    with psycopg.connect(url, autocommit=True) as connection:
        # Bare: what our tables do beside it, such as noting that there is no room, is ours.
        connection.execute("SET session_replication_role = replica")
        return _timed(lambda one: connection.execute(FLOOR, [one]).rowcount == 1, first, asked)


def _timed(reserve: Reserve, first: UUID, asked: Sequence[UUID]) -> list[Outcome]:
    assert reserve(first)
    (ready,) = _READY
    ready.wait()
    found = []
    for machine_id in asked:
        began = time.perf_counter()
        won = reserve(machine_id)
        found.append((won, began, time.perf_counter()))
    return found


def _check(asked: Sequence[UUID], outcomes: Sequence[tuple[bool, float]], *, ours: bool) -> None:
    """Accept that each machine was won once, and is held by exactly its winner."""
    from marketplace.machines.models import Machine
    from marketplace.placements.models import Lease, Placement, PlacementEvent

    won = len(set(asked))
    assert sum(one for one, _ in outcomes) == won, Counter(one for one, _ in outcomes)
    # Each client's first request won too.
    won += CLIENTS
    assert Machine.objects.filter(cpus_free=0, gpus_free=0).count() == won
    if ours:
        for model in (Placement, Lease, PlacementEvent):
            assert model.objects.count() == won, model


if __name__ == "__main__":
    main()
