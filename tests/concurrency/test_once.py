from collections.abc import Callable
from functools import partial

from marketplace.accounts.models import KeptAnswer
from marketplace.accounts.once import Made, Once, once
from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.models import EnrolmentToken
from tests.marketplace.scene import NOW, user

Race = Callable[[list[Callable[[], object]]], list[object]]


def test_of_the_same_call_many_times_at_once_one_is_done_and_all_are_told(race: Race) -> None:
    host_id = user().pk

    def make() -> Made:
        return Made("", issue_token(host_id=host_id, now=NOW).token)

    call = Once(host_id, "one", "POST /host/enrolment-tokens")
    outcomes = race([partial(once, call, make, now=NOW)] * 12)
    assert all(isinstance(one, Made) for one in outcomes), outcomes
    assert len(set(outcomes)) == 1
    assert EnrolmentToken.objects.count() == 1
    assert KeptAnswer.objects.count() == 1
