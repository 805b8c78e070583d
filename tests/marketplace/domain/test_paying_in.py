"""What goes back to a card, who bears a dispute, and when a card is asked by itself."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import (
    AutoTopUpRule,
    cents,
    is_whole_cents,
    loss,
    next_ask,
    of_cents,
    refundable,
    top_up_is_due,
)

amounts = st.integers(0, 10**13).map(MicroUsd)
RULE = AutoTopUpRule(MicroUsd(5_000_000), MicroUsd(20_000_000), MicroUsd(50_000_000))


@given(paid=amounts, refunded=amounts, disputed=amounts, to_spend=amounts)
def test_never_more_goes_back_than_was_paid_and_is_there(
    paid: MicroUsd, refunded: MicroUsd, disputed: MicroUsd, to_spend: MicroUsd
) -> None:
    most = refundable(paid=paid, refunded=refunded, disputed=disputed, to_spend=to_spend)
    assert 0 <= most <= to_spend
    assert most == 0 or most + refunded + disputed <= paid
    assert is_whole_cents(most)


@given(amount=amounts, frozen=amounts, to_spend=amounts)
def test_a_lost_dispute_is_paid_in_full_and_by_the_site_last(
    amount: MicroUsd, frozen: MicroUsd, to_spend: MicroUsd
) -> None:
    parts = loss(amount=amount, frozen=frozen, to_spend=to_spend)
    assert parts.frozen_microusd + parts.wallet_microusd + parts.borne_microusd == amount
    assert 0 <= parts.frozen_microusd <= frozen
    assert 0 <= parts.wallet_microusd <= to_spend
    assert parts.borne_microusd in (0, amount - frozen - to_spend)


@given(st.integers(0, 10**9))
def test_cents_and_micro_dollars_are_the_same_money(number: int) -> None:
    assert cents(of_cents(number)) == number


@pytest.mark.parametrize(
    ("to_spend", "this_month", "minutes", "due"),
    [
        (4_999_999, 0, None, True),
        (5_000_000, 0, None, False),
        (0, 30_000_000, None, True),
        (0, 30_000_001, None, False),
        (0, 0, 59, False),
        (0, 0, 60, True),
    ],
)
def test_a_card_is_asked_below_the_threshold_within_the_month_and_hourly(
    now: datetime, to_spend: int, this_month: int, minutes: int | None, due: bool
) -> None:
    asked_at = None if minutes is None else now - timedelta(minutes=minutes)
    assert due is top_up_is_due(
        RULE,
        to_spend=MicroUsd(to_spend),
        this_month=MicroUsd(this_month),
        asked_at=asked_at,
        now=now,
    )


@pytest.mark.parametrize(("age_s", "wait_s"), [(0, 60), (600, 60), (36_000, 3600)])
def test_what_is_open_for_longer_is_asked_about_more_rarely(
    now: datetime, age_s: int, wait_s: int
) -> None:
    began_at = now - timedelta(seconds=age_s)
    assert next_ask(began_at=began_at, now=now) == now + timedelta(seconds=wait_s)
