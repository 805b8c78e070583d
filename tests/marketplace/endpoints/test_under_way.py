"""How many requests may be under way, and how gladly a replica is asked again."""

from contextlib import ExitStack
from uuid import UUID

import pytest

from marketplace.endpoints.gateway import under_way
from marketplace.endpoints.gateway.routes import Machine, Route, Target
from marketplace.endpoints.gateway.standing import BREAKS_MAX, SHUN_S_MAX, Standing
from marketplace.endpoints.gateway.under_way import (
    EndpointBusy,
    GatewayBusy,
    RenterBusy,
    UnderWay,
)

ALICES, ALICES_OTHER, BOBS = (
    Route(UUID(int=number), renter_id, "") for number, renter_id in ((1, 1), (2, 1), (3, 2))
)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("ENDPOINT_MAX", 2), ("RENTER_MAX", 3), ("ALL_MAX", 4)):
        monkeypatch.setattr(under_way, name, most)


def test_an_endpoint_a_renter_and_all_have_only_so_many_requests_under_way() -> None:
    requests = UnderWay()
    with ExitStack() as stack:
        for route, refused in (
            (ALICES, None),
            (ALICES, None),
            (ALICES, EndpointBusy),
            (ALICES_OTHER, None),
            (ALICES_OTHER, RenterBusy),
            (BOBS, None),
            (BOBS, GatewayBusy),
        ):
            if refused is None:
                stack.enter_context(requests.one_more(route))
            else:
                with pytest.raises(refused):
                    stack.enter_context(requests.one_more(route))
    assert not requests._requests


def test_a_replica_is_asked_less_gladly_the_more_answers_break_off_in_a_row() -> None:
    standing = Standing(Target(UUID(int=1), 8080, Machine("", "", 22)), 1)
    free = (False, 0)
    for _ in range(BREAKS_MAX - 1):
        standing.broke(0.0)
        assert standing.load(0.0) == free
    standing.broke(0.0)
    first_s = standing.shunned_until
    assert standing.load(0.0) > free
    assert standing.load(first_s) == free
    standing.broke(0.0)
    assert standing.shunned_until == 2 * first_s
    for _ in range(2000):
        standing.broke(0.0)
    assert standing.shunned_until == SHUN_S_MAX
    standing.answered()
    assert standing.load(0.0) == free
