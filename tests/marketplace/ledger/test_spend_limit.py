"""What is set aside counts against its owner's limits, and what returns counts back."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import SpendLimit, User
from marketplace.domain.money import MicroUsd
from marketplace.domain.spending import Period, SpendLimitReached
from marketplace.ledger import audit, queries
from marketplace.ledger.actions import hold, spend_limit
from marketplace.ledger.models import Hold

AtOnce = Callable[[list[Callable[[], object]]], list[object]]
DAY = timedelta(days=1)


@pytest.fixture
def rich(alice: User, give: Callable[..., None]) -> User:
    give(alice, 100_000_000)
    return alice


def set_aside(user: User, amount: int, cause: str, now: datetime) -> Hold:
    return hold.place(user_id=user.pk, amount_microusd=MicroUsd(amount), cause=cause, now=now)


def bound(user: User, limit: int | None, now: datetime, period: Period = Period.DAY) -> None:
    spend_limit.set_limit(user_id=user.pk, period=period, limit_microusd=limit, now=now)


def counted(user: User, now: datetime) -> list[int]:
    return [row.counted_microusd for row in spend_limit.limits(user.pk, now)]


@pytest.mark.django_db
def test_a_day_has_its_limit_and_the_next_day_another(rich: User, now: datetime) -> None:
    bound(rich, 10_000_000, now)
    first = set_aside(rich, 8_000_000, "a", now)
    with pytest.raises(SpendLimitReached):
        set_aside(rich, 2_000_001, "b", now)
    with pytest.raises(SpendLimitReached):
        hold.increase(hold_id=first.pk, amount_microusd=MicroUsd(3_000_000), cause="more", now=now)
    assert (queries.held(rich.pk), counted(rich, now)) == (8_000_000, [8_000_000])
    assert Hold.objects.count() == 1
    set_aside(rich, 8_000_000, "a", now)
    assert counted(rich, now) == [8_000_000]
    set_aside(rich, 10_000_000, "c", now + DAY)
    assert counted(rich, now + DAY) == [10_000_000]
    assert audit.audit() == []


@pytest.mark.django_db
def test_what_returns_counts_back_only_where_it_was_counted(rich: User, now: datetime) -> None:
    bound(rich, 10_000_000, now)
    bound(rich, 50_000_000, now, Period.MONTH)
    yesterdays = set_aside(rich, 6_000_000, "a", now)
    todays = set_aside(rich, 7_000_000, "b", now + DAY)
    hold.release(hold_id=yesterdays.pk, cause="a:back", now=now + DAY)
    # It was of yesterday, so it lets nobody spend more today; of the month it is given back.
    assert counted(rich, now + DAY) == [7_000_000, 7_000_000]
    hold.release(hold_id=todays.pk, cause="b:back", now=now + DAY)
    assert counted(rich, now + DAY) == [0, 0]
    set_aside(rich, 10_000_000, "c", now + DAY)


@pytest.mark.django_db
def test_what_was_set_aside_before_a_limit_is_counted_with_it(rich: User, now: datetime) -> None:
    set_aside(rich, 9_000_000, "yesterday", now - DAY)
    set_aside(rich, 4_000_000, "today", now)
    gone = set_aside(rich, 5_000_000, "gone", now)
    hold.release(hold_id=gone.pk, cause="gone:back", now=now)
    bound(rich, 10_000_000, now)
    assert counted(rich, now) == [4_000_000]
    bound(rich, 3_000_000, now)
    with pytest.raises(SpendLimitReached, match=r"leaves \$0\.00"):
        set_aside(rich, 1, "b", now)
    bound(rich, None, now)
    set_aside(rich, 20_000_000, "c", now)


@pytest.mark.django_db
def test_a_key_has_its_own_limit_for_good(rich: User, now: datetime) -> None:
    key = issue(user_id=rich.pk, name="ci", now=now, spend_limit_microusd=5_000_000).key
    other = issue(user_id=rich.pk, name="free", now=now).key
    mine = set_aside(rich, 4_000_000, "a", now)
    spend_limit.attribute(hold_id=mine.pk, api_key_id=key.pk, now=now)
    spend_limit.attribute(hold_id=mine.pk, api_key_id=key.pk, now=now)
    later = now + 40 * DAY
    second = set_aside(rich, 2_000_000, "b", later)
    with pytest.raises(SpendLimitReached, match="this API key"):
        spend_limit.attribute(hold_id=second.pk, api_key_id=key.pk, now=later)
    spend_limit.attribute(hold_id=second.pk, api_key_id=other.pk, now=later)
    with pytest.raises(SpendLimitReached):
        hold.increase(hold_id=mine.pk, amount_microusd=MicroUsd(1_000_001), cause="m", now=later)
    hold.release(hold_id=mine.pk, cause="a:back", now=later)
    assert SpendLimit.objects.get(api_key=key).counted_microusd == 0
    third = set_aside(rich, 5_000_000, "c", later)
    spend_limit.attribute(hold_id=third.pk, api_key_id=key.pk, now=later)
    with pytest.raises(spend_limit.KeysOwnOnly):
        spend_limit.check_own(api_key_id=key.pk, hold_key_id=None)
    spend_limit.check_own(api_key_id=other.pk, hold_key_id=None)
    spend_limit.check_own(api_key_id=key.pk, hold_key_id=key.pk)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_cannot_both_pass_a_limit(rich: User, now: datetime, at_once: AtOnce) -> None:
    bound(rich, 10_000_000, now)
    told = at_once([lambda n=n: set_aside(rich, 6_000_000, f"{n}", now) for n in range(4)])  # type: ignore[misc]
    refused = [one for one in told if isinstance(one, SpendLimitReached)]
    assert (len(refused), queries.held(rich.pk), counted(rich, now)) == (3, 6_000_000, [6_000_000])
