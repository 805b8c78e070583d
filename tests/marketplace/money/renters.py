"""This will be what renters do in the stateful test."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from marketplace.accounts.models import User
from marketplace.console.actions import answer_report
from marketplace.console.staff import Staff
from marketplace.domain.funding import Funding
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.domain.paying_in import refundable
from marketplace.domain.placement import PlacementState
from marketplace.domain.price_proposal import WAITING
from marketplace.domain.pricing import PriceType
from marketplace.domain.rental_report import Payer, Wrong
from marketplace.domain.spending import Period
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import open_account, return_charge, spend_limit
from marketplace.metering.actions.count_storage import count_storage
from marketplace.payments import queries as payments
from marketplace.payments.models import TopUp
from marketplace.placements.actions.settle import settle_all
from marketplace.placements.models import Placement
from marketplace.rentals.actions import bid, end, extend, start, stop
from marketplace.rentals.actions.allow_traffic import allow_traffic
from marketplace.rentals.actions.answer_price import answer_price
from marketplace.rentals.actions.count_traffic import count_traffic
from marketplace.rentals.actions.propose_prices import propose_prices
from marketplace.rentals.actions.renew import renew
from marketplace.rentals.actions.report import report
from marketplace.rentals.funds import BALANCE_OUT
from marketplace.rentals.models import PriceProposal, Rental
from protocol.agent import Want
from tests.marketplace.money.metered import GB, HOUR_MS, PPM, Agreed
from tests.marketplace.money.site import DISCOUNTS
from tests.marketplace.money.world import CPUS, USD, World
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD

PICK = st.integers(0, 99)
#: of the price without a bid, in percent
BIDS = st.integers(20, 100)
HOURS = st.integers(1, 4)
DAY_S = 86_400
DISCOUNT_PPM = DISCOUNTS[0]["discount_ppm"]


class Renters(RuleBasedStateMachine):
    """They rent, bid, stop, extend, and run out of money."""

    world: World

    @rule(who=PICK, cpus=st.integers(1, 2), hours=HOURS)
    def rents(self, who: int, cpus: int, hours: int) -> None:
        self.world.rent(who, cpus=cpus, lease_s=hours * 3600)

    @rule(who=PICK, cap=st.integers(1, 9))
    def rents_up_to_a_cap(self, who: int, cap: int) -> None:
        self.world.rent(who, cpus=1, lease_s=7200, cap_microusd=cap * USD)

    @rule(who=PICK, hours=st.integers(2, 6))
    def rents_an_hour_ahead(self, who: int, hours: int) -> None:
        self.world.rent(who, cpus=1, lease_s=hours * 3600, funding=Funding.ROLLING)

    @rule(who=PICK, days=st.integers(1, 2))
    def reserves(self, who: int, days: int) -> None:
        hour = self.world.unit
        reserved = hour * (PPM - DISCOUNT_PPM) // PPM
        term = reserved * days * DAY_S * 1000 // HOUR_MS
        self.world.rent(
            who,
            cpus=1,
            agreed=Agreed(reserved, on_demand=hour, term_microusd=term),
            lease_s=days * DAY_S,
            price_type=PriceType.RESERVED,
        )

    @rule(who=PICK)
    def asks_twice_for_the_same(self, who: int) -> None:
        key = str(uuid4())
        made = [self.world.rent(who, cpus=1, lease_s=3600, idempotency_key=key) for _ in range(2)]
        assert len({one.id for one in made if one is not None}) <= 1
        self.world.tally["the same request came twice"] += all(made)

    @rule(who=PICK, cpus=st.integers(1, 2), percent=BIDS, hours=HOURS)
    def bids(self, who: int, cpus: int, percent: int, hours: int) -> None:
        self.bid(who, cpus, percent, lease_s=hours * 3600)

    @rule(who=PICK, percent=st.integers(20, 60), is_on_demand=st.booleans())
    def is_outbid(self, who: int, percent: int, is_on_demand: bool) -> None:
        """Have somebody bid for all of the machine, and somebody else take it."""
        self.bid(who, CPUS, percent)
        self.world.run()
        if is_on_demand:
            self.world.rent(who + 1, cpus=CPUS, makes_room=False, lease_s=3600)
        else:
            self.bid(who + 1, CPUS, percent + 10, makes_room=False)
        for _ in range(2):
            self.world.site.pass_time(35)
            self.world.site.hear()
            settle_all(now=self.world.now)

    def bid(self, who: int, cpus: int, percent: int, **asked: Any) -> None:
        hour = self.world.unit * cpus * percent // 100
        asked = {"lease_s": 7200, "bid_microusd": hour} | asked
        self.world.rent(who, cpus=cpus, agreed=Agreed(hour), **asked)

    @rule(pick=PICK, percent=BIDS)
    def changes_a_bid(self, pick: int, percent: int) -> None:
        found = self.world.pick(pick, price_type=PriceType.INTERRUPTIBLE)
        if found is None:
            self.bid(pick, 1, 50)
            found = self.world.pick(pick, price_type=PriceType.INTERRUPTIBLE)
        if found is None:
            return
        hour = self.world.unit * found.placement.cpus * percent // 100
        self.world.fund(self.world.people.index(found.renter), 5 * hour)
        self.world.site.agreed[found.placement_id].prices.add(hour)
        self.ask(bid.bid, found, bid_microusd=hour)

    @rule(pick=PICK, times=st.integers(1, 2))
    def stops(self, pick: int, times: int) -> None:
        found = self.world.running(pick, price_type=PriceType.ON_DEMAND)
        for _ in range(times if found else 0):
            self.ask(stop.stop, found)

    @rule(pick=PICK)
    def stops_and_starts(self, pick: int) -> None:
        """Stop one, keep it for a while, and start it."""
        self.stops(pick, 1)
        for seconds in (2, 120, 120):
            self.world.site.pass_time(seconds)
            self.world.site.hear()
            self.world.site.run_passes((count_storage,))
        found = self.world.pick(pick, PlacementState.STOPPED, price_type=PriceType.ON_DEMAND)
        if found is not None:
            self.world.make_room(found.placement.cpus)
            self.ask(start.start, found)

    @rule(pick=PICK, times=st.integers(1, 2), is_stopped_too=st.booleans())
    def ends(self, pick: int, times: int, is_stopped_too: bool) -> None:
        found = self.world.pick(pick)
        for _ in range(times if found else 0):
            if is_stopped_too:
                self.ask(stop.stop, found)
            self.ask(end.end, found)

    @rule(pick=PICK)
    def ends_a_reservation(self, pick: int) -> None:
        """End one before its term, so that it loses its discount."""
        found = self.world.pick(pick, PlacementState.RUNNING, price_type=PriceType.RESERVED)
        if found is None:
            self.reserves(pick, 1)
            self.world.run()
            found = self.world.pick(pick, price_type=PriceType.RESERVED)
        if found is not None:
            self.ask(end.end, found)

    @rule(pick=PICK, hours=HOURS, times=st.integers(1, 2))
    def extends(self, pick: int, hours: int, times: int) -> None:
        found = self.world.running(pick, price_type=PriceType.ON_DEMAND, cap_microusd=None)
        if found is None:
            return
        self.world.fund(
            self.world.people.index(found.renter), 3 * hours * found.price_hour_microusd
        )
        asked, key = extend.Asked(more_s=hours * 3600), self.world.cause()
        for _ in range(times):
            self.ask(extend.extend, found, asked=asked, idempotency_key=key)

    @rule(pick=PICK, percent=st.sampled_from([50, 100, 150]), accept=st.booleans())
    def is_asked_another_price(self, pick: int, percent: int, accept: bool) -> None:
        """Have the host ask another price, and a renter answer."""
        world = self.world
        world.running(pick, price_type=PriceType.ON_DEMAND)
        world.unit = CPU_HOUR_MICROUSD * percent // 100
        world.site.terms(price_cpu_hour_microusd=world.unit)
        for one in Rental.objects.filter(price_type=PriceType.ON_DEMAND):
            hour = world.unit * one.placement.cpus
            if hour < one.price_hour_microusd:
                world.site.agreed[one.placement_id].prices.add(hour)
        machine_id = world.site.market.machine.id
        world.do(propose_prices, host_id=world.people[-1].pk, machine_id=machine_id)
        asked = PriceProposal.objects.filter(state__in=WAITING).order_by("id")
        for proposal in asked.select_related("rental__placement", "rental__renter")[:1]:
            one, price = proposal.rental, proposal.price_hour_microusd
            world.fund(world.people.index(one.renter), 9 * price)
            if accept:
                world.site.agreed[one.placement_id].prices.add(price)
            self.ask(answer_price, one, price_hour_microusd=price, accept=accept)

    @rule(pick=PICK, percent=st.integers(1, 120), payer=st.sampled_from(list(Payer)))
    def has_a_report_answered(self, pick: int, percent: int, payer: Payer) -> None:
        """Report a rental that cost something; staff give a part of it back, or try too much."""
        world = self.world
        found = list(Rental.objects.filter(meter__charged_microusd__gt=0).order_by("id"))
        if not found:
            return
        rental = found[pick % len(found)]
        said = {"what": Wrong.OTHER, "text": f"Report {uuid4()}", "asked_microusd": None}
        made = self.ask(report, rental, **said)
        left = return_charge.left(rental.meter.hold, now=world.now)
        amount = MicroUsd(left * percent // 100)
        if made is None or not 0 < amount <= left:
            return
        user = User.objects.get_or_create(email="staff@berth.example")[0]
        asked = {"report_id": made.id, "amount_microusd": amount, "payer": payer}
        for role in (Role.SUPPORT, Role.ADMIN):
            by = Staff(user.pk, user.email, frozenset({role}))
            told = world.do(answer_report.prospect, by=by, **asked)
            if told is not None:
                host = told.shares.host_microusd
                act = answer_report.credit_report
                world.do(act, by=by, host_microusd=host, reason="x", **asked)

    @rule(pick=PICK, gigabytes=st.integers(1, 12))
    def sends_traffic(self, pick: int, gigabytes: int) -> None:
        """Send some; with what it sent before, it may have used up what was allowed."""
        world = self.world
        found = world.running(pick)
        if found is None:
            return
        for _ in range(2):
            world.read_usage(found, more_bytes=gigabytes * GB // 2)
            world.site.pass_time(10)
        world.site.run_passes((count_traffic,))

    @rule(pick=PICK, gigabytes=st.integers(11, 40))
    def allows_traffic(self, pick: int, gigabytes: int) -> None:
        found = self.world.running(pick)
        if found is not None:
            self.world.fund(self.world.people.index(found.renter), USD)
            self.ask(allow_traffic, found, traffic_bytes_max=gigabytes * GB)

    @rule(who=PICK, period=st.sampled_from([Period.DAY, Period.MONTH]))
    def reaches_a_limit(self, who: int, period: Period) -> None:
        world, person = self.world, self.world.people[who % 3]
        asked = {"user_id": person.pk, "period": period}
        world.do(spend_limit.set_limit, limit_microusd=USD, **asked)
        held = ledger.held(person.pk)
        if world.rent(who, cpus=1, lease_s=7200) is None:
            assert ledger.held(person.pk) <= held
        world.do(spend_limit.set_limit, limit_microusd=None, **asked)

    def runs_out_of_money(self, who: int) -> None:
        """Rent an hour ahead, take all that is not held back to the card, and go on for an hour.

        No rule, as an hour takes as long as many of them.
        """
        world, person = self.world, self.world.people[who % 3]
        made = world.rent(who, cpus=1, lease_s=6 * 3600, funding=Funding.ROLLING)
        world.run()
        for one in TopUp.objects.filter(user=person, state="paid").order_by("created_at", "id"):
            most = refundable(
                paid=MicroUsd(one.amount_microusd),
                refunded=payments.refunded(one),
                disputed=payments.disputed(one),
                to_spend=open_account.wallet(user_id=person.pk).balance_microusd,
            )
            if most:
                world.send_back(one, most)
        for _ in range(20 if made else 0):
            made.placement.refresh_from_db()
            left_s = (made.placement.paid_until - world.now).total_seconds()
            if made.placement.want != Want.RUN or left_s < 3:
                break
            world.site.work(min(290, left_s - 2))
            world.site.run_passes((renew,))
        world.tally["the balance was used up"] += Placement.objects.filter(
            rental__renter=person, reason_code=BALANCE_OUT
        ).count()

    def ask(self, act: Callable[..., Any], rental: Rental | None, **asked: Any) -> Any:
        """Have its renter ask something of a rental."""
        assert rental is not None
        who = {"rental_id": rental.id, "renter_id": rental.renter_id}
        return self.world.do(act, **who, **asked)
