from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from marketplace.accounts.actions.count_attempt import Limit, TooManyAttempts, count
from marketplace.accounts.models import AttemptCount
from tests.marketplace.scene import NOW, after

Race = Callable[[list[Callable[[], object]]], list[object]]
LIMIT = Limit("race", 10, timedelta(minutes=1))


@pytest.mark.parametrize("opened", [False, True], ids=["no count yet", "a window that is over"])
def test_of_many_attempts_at_once_no_more_than_the_limit_pass(race: Race, opened: bool) -> None:
    if opened:
        count(limit=LIMIT, subject="alice", now=after(-60))
    outcomes = race([partial(count, limit=LIMIT, subject="alice", now=NOW)] * 30)
    refused = [one for one in outcomes if isinstance(one, TooManyAttempts)]
    assert outcomes.count(None) == LIMIT.attempts_max
    assert len(refused) == 20
    assert AttemptCount.objects.get().attempts == LIMIT.attempts_max
