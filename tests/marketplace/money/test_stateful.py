"""Whatever renters, hosts, clocks and banks do, in whatever order: after each step all adds up.

Each rule is several steps; ``BERTH_MONEY_RUNS`` and ``BERTH_MONEY_STEPS`` make it longer.
"""

import os
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from django.db import transaction
from hypothesis import Phase
from hypothesis import settings as of_hypothesis
from hypothesis.stateful import invariant, run_state_machine_as_test

from marketplace.accounts.models import User
from marketplace.domain.rental_report import Payer
from marketplace.domain.spending import Period
from tests.marketplace.money.banks import Banks
from tests.marketplace.money.hosts import Hosts
from tests.marketplace.money.payers import Payers
from tests.marketplace.money.renters import Renters
from tests.marketplace.money.site import Complaints
from tests.marketplace.money.tally import missing
from tests.marketplace.money.world import World

RUNS = int(os.environ.get("BERTH_MONEY_RUNS", "4"))
STEPS = int(os.environ.get("BERTH_MONEY_STEPS", "40"))


class Money(Renters, Hosts, Payers):
    """Everybody at once."""

    banks: Banks
    people: Sequence[User]
    complaints: Complaints
    #: of all runs
    done: Counter[str]
    #: where every id of a run comes from, as what is done goes by their order
    chance: Random

    def __init__(self) -> None:
        super().__init__()
        Money.chance = Random(1)
        self.before = transaction.savepoint()
        self.world = World(self.banks, self.people, self.complaints)
        self.watching = self.world.watched()
        self.watching.__enter__()

    def teardown(self) -> None:
        try:
            self.world.finish()
            self.done.update(self.world.tally)
        finally:
            self.watching.__exit__(None, None, None)
            transaction.savepoint_rollback(self.before)

    def go_round(self) -> None:
        """Have everybody do each thing, in an order in which nothing stands in its way."""
        for who in (0, 1):
            self.is_given_credit(who, 1000, 30)
        self.pays(0, 5000)
        self.pays_twice_for_one_cause(1, 5000)
        self.pays_with_a_card_that_fails(0, 1000)
        for success in (True, False):
            self.pays_with_a_card_that_asks(1, 1000, success)
        self.pays_and_hears_nothing(0, 2000, 1)
        self.pays_while_stripe_is_away(1, 2000)
        self.pays_by_itself(0, 9)
        self.hooks_come_again([3, 1, 4, 1, 5])
        for is_old in (True, False):
            self.a_hook_is_forged(7, is_old)
        for amount in (0, -1, -10_000, 10**12):
            self.asks_for_nonsense(1, amount)
        self.lets_credit_end(0)
        self.rents(0, 1, 2)
        self.rents_up_to_a_cap(1, 3)
        self.asks_twice_for_the_same(0)
        self.works(200)
        self.is_heard(60, True)
        self.loses_intervals(100, 1)
        self.signs_with_another_key(0)
        self.starts_anew(0)
        self.door_is_looked_at(0, False)
        self.is_silent(30)
        self.what_comes_next_dies(3)
        self.rents(1, 1, 1)
        self.a_charge_dies(0)
        self.is_proven(0, 70, True)
        self.is_proven(0, 60, False)
        self.is_proven(0, 100, True)
        for payer in (Payer.SITE, Payer.HOST):
            self.has_a_report_answered(0, 20, payer)
        self.extends(0, 1, 2)
        self.sends_traffic(0, 3)
        self.sends_traffic(0, 12)
        self.allows_traffic(0, 30)
        self.stops(0, 2)
        self.stops_and_starts(1)
        for percent, accept in ((150, True), (50, False), (100, False)):
            self.is_asked_another_price(0, percent, accept)
        self.ends(0, 2, True)
        self.bids(0, 1, 50, 2)
        self.changes_a_bid(0, 70)
        for is_on_demand in (True, False):
            self.is_outbid(0, 40, is_on_demand)
        self.works(200)
        self.reserves(0, 1)
        self.world.run()
        self.works(200)
        self.ends_a_reservation(0)
        self.rents_an_hour_ahead(1, 6)
        self.world.run()
        self.is_silent(80)
        self.everything_runs()
        self.works(60)
        self.runs_out_of_money(1)
        self.reaches_a_limit(0, Period.DAY)
        for bounces in (True, False):
            self.gets_money_back(0, 30, bounces)
        for won, is_decided in ((True, True), (False, True), (True, False)):
            self.disputes(1, won, is_decided)
        self.rents(0, 1, 2)
        self.world.run()
        # What is proven of its run could be proven again: looks before and after the step lie so
        # close together that its door seems open all the while.
        self.works(200)
        self.works(10)
        for seconds in (280, -40):
            self.clock_steps(seconds)
            self.works(10)
            self.works(10)
        self.everything_runs()
        for fault in ("", "refused", "down", "lost", "returned"):
            self.a_week_goes_by(fault)
        self.a_night_comes()

    @invariant()
    def all_adds_up(self) -> None:
        self.world.check()


@pytest.fixture
def money(
    banks: Banks,
    alice: User,
    bob: User,
    charlie: User,
    complaints: Complaints,
    monkeypatch: pytest.MonkeyPatch,
) -> type[Money]:
    Money.banks, Money.people, Money.complaints = banks, (alice, bob, charlie), complaints
    Money.done, Money.chance = Counter(), Random(0)
    monkeypatch.setattr(os, "urandom", lambda count: Money.chance.randbytes(count))
    return Money


def test_no_order_of_anything_moves_money_wrongly(money: type[Money]) -> None:
    lengths = of_hypothesis(max_examples=RUNS, stateful_step_count=STEPS, phases=[Phase.generate])
    run_state_machine_as_test(money, settings=lengths)
    # Each rule does several things, and all is added up after each of them.
    assert money.done["steps"] > 5 * RUNS * STEPS


def test_each_thing_that_can_happen_happens_and_all_adds_up(money: type[Money]) -> None:
    tour = money()
    try:
        tour.go_round()
    finally:
        tour.teardown()
    assert missing(money.done) == []
