"""A card is asked without its owner only as its owner set, and no more once it is refused."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import AutoTopUpRule
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold
from marketplace.notices.models import Notice
from marketplace.payments.actions.auto_top_up import auto_top_up
from marketplace.payments.actions.save_card import remove_card
from marketplace.payments.actions.set_auto_top_up import (
    RuleRefused,
    set_auto_top_up,
    turn_off,
)
from marketplace.payments.actions.settle_pending import settle_pending
from marketplace.payments.actions.top_up import CardNeeded, TopUpAmountRefused
from marketplace.payments.models import AutoTopUp, Payer, TopUp
from scripts.stripe_stand_in.payments import DECLINED_LATER, VISA, WANTS_CONFIRMATION, Stripe

SaveCard = Callable[..., Payer]
HOUR = timedelta(hours=1)


def rule(threshold: int = 5, amount: int = 20, month: int = 50) -> AutoTopUpRule:
    """Return a rule in dollars."""
    return AutoTopUpRule(*(MicroUsd(part * 1_000_000) for part in (threshold, amount, month)))


def test_a_low_balance_is_filled_at_most_once_an_hour_and_within_the_month(
    alice: User, with_card: SaveCard, now: datetime
) -> None:
    with_card(alice)
    set_auto_top_up(user_id=alice.pk, rule=rule(threshold=1000))
    asked = [auto_top_up(now=now + HOUR * hours / 2) for hours in range(8)]
    assert asked == [1, 0, 1, 0, 0, 0, 0, 0]
    assert ledger.balance(alice.pk) == 40_000_000
    later = now + timedelta(days=31)
    assert auto_top_up(now=later) == 1
    assert set(TopUp.objects.values_list("automatic", flat=True)) == {True}


def test_whose_month_is_used_up_keeps_nobody_waiting(
    alice: User, bob: User, with_card: SaveCard, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.payments.actions.auto_top_up.RULES_MAX", 1)
    with_card(alice)
    set_auto_top_up(user_id=alice.pk, rule=rule(threshold=1000, amount=20, month=20))
    assert auto_top_up(now=now) == 1
    with_card(bob)
    set_auto_top_up(user_id=bob.pk, rule=rule(threshold=1000))
    AutoTopUp.objects.filter(user=bob).update(asked_at=now + HOUR / 2)
    assert auto_top_up(now=now + 2 * HOUR) == 1
    assert ledger.balance(bob.pk) == 20_000_000


def test_enough_money_a_rule_that_is_off_and_no_rule_ask_nothing(
    alice: User, bob: User, with_card: SaveCard, give: Callable[..., None], now: datetime
) -> None:
    for person in (alice, bob):
        with_card(person)
        set_auto_top_up(user_id=person.pk, rule=rule())
    give(alice, 5_000_000)
    turn_off(user_id=bob.pk)
    assert auto_top_up(now=now) == 0


@pytest.mark.parametrize("number", [DECLINED_LATER, WANTS_CONFIRMATION])
def test_three_refusals_turn_it_off_and_tell_the_person_once(
    alice: User, with_card: SaveCard, now: datetime, number: str
) -> None:
    with_card(alice, number)
    set_auto_top_up(user_id=alice.pk, rule=rule())
    assert [auto_top_up(now=now + HOUR * hours) for hours in range(5)] == [1, 1, 1, 0, 0]
    row = AutoTopUp.objects.get()
    assert (row.is_on, row.declines) == (False, 3)
    assert row.off_because.startswith("The card was refused 3 times: ")
    assert list(Notice.objects.values_list("user", "kind")) == [(alice.pk, "payment")]
    set_auto_top_up(user_id=alice.pk, rule=rule())
    assert auto_top_up(now=now + HOUR * 5) == 1


def test_a_card_that_fails_after_a_rental_began_leaves_the_rental_what_it_has(
    alice: User, with_card: SaveCard, give: Callable[..., None], now: datetime
) -> None:
    with_card(alice, DECLINED_LATER)
    set_auto_top_up(user_id=alice.pk, rule=rule())
    give(alice, 6_000_000)
    hold.place(user_id=alice.pk, amount_microusd=MicroUsd(5_000_000), cause="rental", now=now)
    assert [auto_top_up(now=now + HOUR * hours) for hours in range(4)] == [1, 1, 1, 0]
    assert (ledger.held(alice.pk), ledger.balance(alice.pk)) == (5_000_000, 1_000_000)


def test_a_payment_forgets_the_refusals_before_it(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    payer = with_card(alice, DECLINED_LATER)
    set_auto_top_up(user_id=alice.pk, rule=rule())
    auto_top_up(now=now)
    auto_top_up(now=now + HOUR)
    card = stripe.save_card(payer.customer, VISA)
    Payer.objects.update(card=card)
    auto_top_up(now=now + HOUR * 2)
    assert AutoTopUp.objects.get().declines == 0


def test_a_silent_processor_is_one_payment_and_not_one_an_hour(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    with_card(alice)
    set_auto_top_up(user_id=alice.pk, rule=rule())
    stripe.is_down = True
    assert [auto_top_up(now=now + HOUR * hours) for hours in range(3)] == [0, 0, 0]
    assert TopUp.objects.count() == 1
    stripe.is_down = False
    settle_pending(now=now + HOUR * 3)
    assert ledger.balance(alice.pk) == 20_000_000
    assert AutoTopUp.objects.get().declines == 0


def test_many_passes_at_once_ask_once(
    transactional_db: None,
    alice: User,
    with_card: SaveCard,
    at_once: Callable[..., list[object]],
    now: datetime,
) -> None:
    with_card(alice)
    set_auto_top_up(user_id=alice.pk, rule=rule())
    moments = [now + timedelta(milliseconds=number) for number in range(8)]
    at_once([lambda moment=moment: auto_top_up(now=moment) for moment in moments])
    assert TopUp.objects.count() == 1
    assert ledger.balance(alice.pk) == 20_000_000


def test_a_removed_card_turns_it_off(alice: User, with_card: SaveCard, now: datetime) -> None:
    with_card(alice)
    set_auto_top_up(user_id=alice.pk, rule=rule())
    remove_card(user_id=alice.pk)
    assert auto_top_up(now=now) == 0
    assert AutoTopUp.objects.get().off_because == "The card was removed."


@pytest.mark.parametrize(
    ("threshold", "amount", "month", "refusal"),
    [
        (0, 20, 50, RuleRefused),
        (-1, 20, 50, RuleRefused),
        (10**12, 20, 50, RuleRefused),
        (5, 0, 50, TopUpAmountRefused),
        (5, -20, 50, TopUpAmountRefused),
        (5, 10**12, 10**12, TopUpAmountRefused),
        (5, 20, 19, RuleRefused),
        (5, 20, 10**12, RuleRefused),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    alice: User,
    with_card: SaveCard,
    threshold: int,
    amount: int,
    month: int,
    refusal: type[Exception],
) -> None:
    with_card(alice)
    with pytest.raises(refusal):
        set_auto_top_up(user_id=alice.pk, rule=rule(threshold, amount, month))
    assert not AutoTopUp.objects.exists()


def test_a_rule_needs_a_card(alice: User, stripe: Stripe) -> None:
    with pytest.raises(CardNeeded):
        set_auto_top_up(user_id=alice.pk, rule=rule())
