"""This will put a whole market into one process and let one seed play it."""

import os
import traceback
from collections import Counter
from dataclasses import dataclass
from unittest import mock

from django.db import transaction

from marketplace.accounts.models import User
from tests.faults.invariants import Invariants
from tests.faults.machine import Machine
from tests.faults.market import Market
from tests.faults.nemesis import Nemesis
from tests.faults.network import Network
from tests.faults.renters import Renter
from tests.faults.world import HOUR_MS, InvariantBroken, World

RENTERS = 5
#: after the faults everything has to settle: the longest lease, the grace and the quarantine
SETTLES_MS = 5 * HOUR_MS
#: what has settled stays so for this long at least
STAYS_MS = HOUR_MS // 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed led to."""

    seed: int
    #: equal for equal seeds
    trace: str
    simulated_ms: int
    happened: Counter[str]
    #: None: everything held
    broken: str | None


def play(seed: int, *, hours: float, settle: bool = False) -> Outcome:
    """Return what became of ``hours`` of faults; ``settle``: and of the calm after them."""
    world = World(seed)
    # Every id that the marketplace makes comes from here, so that the same seed makes the same ids.
    with mock.patch.object(os, "urandom", world.random_bytes), transaction.atomic():
        broken = _play(world, hours, settle)
        # The next seed begins with an empty market.
        transaction.set_rollback(True)
    return Outcome(seed, world.trace, world.now_ms, world.happened, broken)


def _play(world: World, hours: float, settle: bool) -> str | None:
    market, network = Market(world), Network(world)
    machines = [
        Machine(world, market, network, "alpha", gpus=1, cpus=4),
        Machine(world, market, network, "beta", gpus=2, cpus=8),
        Machine(world, market, network, "gamma", gpus=0, cpus=4),
    ]
    hosts = [_person("host-a"), _person("host-b"), _person("host-b")]
    market.open(machines, hosts=hosts)
    renters = [Renter(world, market, network, _person(f"renter-{i}")) for i in range(RENTERS)]
    invariants = Invariants(world, market, machines, renters)
    invariants.writes.on_bump = lambda: setattr(market, "bumped", True)
    nemesis = Nemesis(world, market, machines)
    with invariants.writes.watched():
        try:
            for machine in machines:
                machine.start_agent()
            for renter in renters:
                renter.begin()
            nemesis.begin()
            _run(world, invariants, until_ms=int(hours * HOUR_MS))
            invariants.check_all()
            if settle:
                nemesis.relent()
                _settle(world, invariants)
        except InvariantBroken as broken:
            return f"at {world.now_ms} ms: {broken}"
        except Exception:
            # Refusals are answers and were heard by whoever asked: this is a defect.
            return f"at {world.now_ms} ms: {traceback.format_exc(limit=-6)}"
    return None


def _settle(world: World, invariants: Invariants) -> None:
    latest_ms = world.now_ms + SETTLES_MS
    while world.now_ms < latest_ms and any(invariants.left_over()):
        _run(world, invariants, until_ms=world.now_ms + STAYS_MS)
    _run(world, invariants, until_ms=world.now_ms + STAYS_MS)
    invariants.check_settled()


def _run(world: World, invariants: Invariants, *, until_ms: int) -> None:
    while world.now_ms < until_ms:
        world.step()
        invariants.check()


def _person(name: str) -> User:
    return User.objects.get_or_create(email=f"{name}@example.org")[0]
