"""This will be what people do with their cards in the stateful test, and what banks answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import AutoTopUpRule
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import hold
from marketplace.ledger.actions.grant_credit import expire_credit, grant_credit
from marketplace.payments.actions.auto_top_up import auto_top_up
from marketplace.payments.actions.receive_event import receive_event
from marketplace.payments.actions.refund import refund
from marketplace.payments.actions.set_auto_top_up import set_auto_top_up, turn_off
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.card_processor import SignatureRefused
from marketplace.payments.models import TopUp
from scripts.stripe_stand_in.payments import DECLINED_LATER, VISA, WANTS_CONFIRMATION
from tests.marketplace.money.books import rows
from tests.marketplace.money.world import CENT, USD, World
from tests.marketplace.payments.test_card_events import signed

PICK = st.integers(0, 99)
CENTS = st.integers(100, 5000)
#: amounts that nobody may ask for; the last one is a million dollars
NONSENSE = st.sampled_from([0, -1, -CENT, 10**12])


class Payers(RuleBasedStateMachine):
    """They add money, take it back, dispute it, and their banks lose half of the answers."""

    world: World

    @rule(who=PICK, cents=CENTS)
    def pays(self, who: int, cents: int) -> None:
        self.pay(who, cents)

    @rule(who=PICK, cents=CENTS)
    def pays_twice_for_one_cause(self, who: int, cents: int) -> None:
        cause = self.world.cause()
        for _ in range(2):
            self.pay(who, cents, cause=cause)
        assert TopUp.objects.filter(cause=cause).count() <= 1

    @rule(who=PICK, cents=CENTS)
    def pays_with_a_card_that_fails(self, who: int, cents: int) -> None:
        self.pay(who, cents, card=DECLINED_LATER)

    @rule(who=PICK, cents=CENTS, success=st.booleans())
    def pays_with_a_card_that_asks(self, who: int, cents: int, success: bool) -> None:
        """Have a bank want to be told that it is its customer, who says so, or does not."""
        asked = self.pay(who, cents, card=WANTS_CONFIRMATION)
        if asked is not None and asked.reference and asked.state == "pending":
            self.world.tally["a bank asked its customer"] += 1
            self.world.banks.cards.confirm(asked.reference, success=success)
            self.world.deliver_newest()

    @rule(who=PICK, cents=CENTS, lost=st.integers(1, 2))
    def pays_and_hears_nothing(self, who: int, cents: int, lost: int) -> None:
        """Have Stripe take the money and its answers get lost; the pass asks again."""
        self.world.save_card(self.world.people[who % 3], VISA)
        self.world.banks.cards.answers_lost = lost
        paid = self.pay(who, cents, card="")
        self.world.tally["an answer was lost"] += paid is not None and paid.state == "pending"
        self.world.banks.cards.answers_lost = 0
        self.pass_an_hour()

    @rule(who=PICK, cents=CENTS)
    def pays_while_stripe_is_away(self, who: int, cents: int) -> None:
        """Have Stripe answer nothing for an hour."""
        self.world.save_card(self.world.people[who % 3], VISA)
        self.world.banks.cards.is_down = True
        self.pay(who, cents, card="")
        paid = self.world.newest_paid(who)
        if paid is not None:
            self.world.send_back(paid, CENT)
        self.pass_an_hour()
        self.world.tally["Stripe was away for an hour"] += 1
        self.world.banks.cards.is_down = False
        self.pass_an_hour()

    @rule(who=PICK, dollars=st.integers(1, 30))
    def pays_by_itself(self, who: int, dollars: int) -> None:
        """Have a card asked as soon as a balance is low."""
        person = self.world.people[who % 3]
        self.world.save_card(person, VISA)
        month = MicroUsd(10_000 * USD)
        rule = AutoTopUpRule(month, MicroUsd(dollars * USD), month)
        set_auto_top_up(user_id=person.pk, rule=rule)
        self.world.site.pass_time(3601)
        for _ in range(2):
            self.world.do(auto_top_up)
        turn_off(user_id=person.pk)

    @rule(picks=st.lists(st.integers(0, 999), min_size=1, max_size=5))
    def hooks_come_again(self, picks: list[int]) -> None:
        """Bring what was told before, in any order and any number of times."""
        self.world.banks.deliver([*picks, picks[0]], self.world.now)
        self.world.tally["a web hook came twice"] += 1
        self.world.banks.run_passes(self.world.now)

    @rule(pick=PICK, is_old=st.booleans())
    def a_hook_is_forged(self, pick: int, is_old: bool) -> None:
        """Bring one that somebody else signed, or that Stripe signed a year ago."""
        now, told = self.world.now, self.world.banks.cards.told()
        body = told[pick % len(told)][0].replace(b"evt_", b"evt_forged_")
        at = now - timedelta(days=365) if is_old else now
        secret = {} if is_old else {"secret": "whsec_of_somebody_else"}
        signature = signed(body, at, **secret)
        self.is_refused(receive_event, payload=body, signature=signature)
        self.world.tally["a web hook was old" if is_old else "a web hook was forged"] += 1

    @rule(pick=PICK, percent=st.integers(1, 100), bounces=st.booleans())
    def gets_money_back(self, pick: int, percent: int, bounces: bool) -> None:
        """Have some of a payment sent back to its card, whose bank may not take it."""
        paid = self.payment(pick)
        self.world.send_back(paid, paid.amount_microusd * percent // 100 // CENT * CENT)
        cards = self.world.banks.cards
        sent = [one for one in cards.all("refund") if one.status == "succeeded"]
        if bounces and sent:
            cards.do(cards.fail_refund, sent[-1].id)
            self.world.deliver_newest()

    @rule(pick=PICK, won=st.booleans(), is_decided=st.booleans())
    def disputes(self, pick: int, won: bool, is_decided: bool) -> None:
        """Have a payment disputed, and an open dispute decided."""
        cards = self.world.banks.cards
        cards.open_dispute(self.payment(pick).reference)
        self.world.deliver_newest()
        open_ = [one for one in cards.all("dispute") if one.status == "needs_response"]
        if is_decided:
            cards.close_dispute(open_[pick % len(open_)].id, "won" if won else "lost")
            self.world.deliver_newest()

    @rule(who=PICK, cents=CENTS, hours=st.integers(1, 30))
    def is_given_credit(self, who: int, cents: int, hours: int) -> None:
        self.world.do(
            grant_credit,
            user_id=self.world.people[who % 3].pk,
            amount_microusd=MicroUsd(cents * CENT),
            expires_at=self.world.now + timedelta(hours=hours),
            cause=self.world.cause(),
        )

    @rule(who=PICK)
    def lets_credit_end(self, who: int) -> None:
        self.is_given_credit(who, 500, 1)
        self.world.site.pass_time(3700)
        self.world.site.run_passes((expire_credit,))

    @rule(who=PICK, amount=NONSENSE)
    def asks_for_nonsense(self, who: int, amount: int) -> None:
        """Ask for amounts that are none: each is refused, and nothing changes."""
        person, cause = self.world.people[who % 3], self.world.cause()
        amounts = {"amount_microusd": MicroUsd(amount), "cause": cause}
        mine = {"user_id": person.pk} | amounts
        ends = self.world.now + timedelta(days=1)
        paid = self.payment(who)
        self.is_refused(top_up, **mine)
        self.is_refused(hold.place, **mine)
        self.is_refused(refund, top_up_id=paid.pk, note="asked for", begun=repr, **amounts)
        if amount <= 0:
            self.is_refused(grant_credit, expires_at=ends, **mine)

    def is_refused(self, act: Callable[..., Any], **asked: Any) -> None:
        """Have it refused, and nothing moved or written by it."""
        before = self.written()
        try:
            act(now=self.world.now, **asked)
        except Refused:
            self.world.tally["nonsense was refused"] += 1
        except SignatureRefused:
            self.world.tally["a web hook was refused"] += 1
        else:
            raise AssertionError(f"{act.__name__} took {asked}")
        assert self.written() == before

    def written(self) -> list[tuple[Any, ...]]:
        """Return how much there is of whatever an amount could have made."""
        return rows(
            "SELECT (SELECT count(*) FROM ledger_transfer), (SELECT count(*) FROM ledger_hold),"
            " (SELECT count(*) FROM payments_topup), (SELECT count(*) FROM payments_refund),"
            " (SELECT count(*) FROM payments_webhookevent),"
            " (SELECT count(*) FROM ledger_creditgrant)"
        )

    def pay(self, who: int, cents: int, *, card: str = VISA, cause: str = "") -> TopUp | None:
        """Have somebody's card asked for so much; None: it was refused at once."""
        person = self.world.people[who % 3]
        if card:
            self.world.save_card(person, card)
        made = self.world.do(
            top_up,
            user_id=person.pk,
            amount_microusd=MicroUsd(cents * CENT),
            cause=cause or self.world.cause(),
        )
        assert made is None or isinstance(made, TopUp)
        return made

    def payment(self, pick: int) -> TopUp:
        """Return a payment that arrived, and of which nothing went back."""
        found = self.world.newest_paid(pick)
        if found is None:
            self.world.site.dies_at = None
            self.pay(pick % 2, 2000)
            found = self.world.newest_paid(pick)
        assert found is not None
        return found

    def pass_an_hour(self) -> None:
        for _ in range(2):
            self.world.site.pass_time(1800)
            self.world.banks.cards.at = self.world.now.timestamp()
            self.world.banks.run_passes(self.world.now)
