"""Two passes at once begin no more replicas than are wanted, and count a failure once."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from marketplace.accounts.models import User
from marketplace.domain.endpoint import FIRST_ANSWER_S_MAX
from marketplace.endpoints import unanswered
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.models import Endpoint, Replica
from marketplace.placements.actions.request_end import request_end
from protocol.agent import Want
from protocol.hardware import Resources
from protocol.workload import PlacementKind, Workload
from tests.marketplace import scene
from tests.marketplace.endpoints.conftest import present
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market

pytestmark = pytest.mark.django_db(transaction=True)
AtOnce = Callable[[Sequence[Callable[[], object]]], list[object]]


def wish(renter: User, name: str, *, wanted: int) -> None:
    resources = Resources.of(cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)
    workload = Workload(
        kind=PlacementKind.REPLICA, image="debian:12", http_port=80, resources=resources
    )
    Endpoint.objects.create(
        renter=renter,
        name=name,
        workload=workload.model_dump(mode="json"),
        wanted=wanted,
        price_hour_microusd_max=CPU_HOUR_MICROUSD,
        created_at=scene.NOW,
    )


def test_passes_at_once_begin_as_many_as_are_wanted_and_count_a_failure_once(
    charlie: User, alice: User, give: Callable[..., None], at_once: AtOnce
) -> None:
    Market.open(charlie)
    give(alice, 10 * CPU_HOUR_MICROUSD)
    present()
    wish(alice, "chat", wanted=2)
    going_on = Replica.objects.filter(placement__want=Want.RUN)
    assert at_once([lambda: tend(now=scene.NOW)] * 4) == [1] * 4
    assert going_on.count() == 2
    one = going_on.order_by("id").first()
    assert one is not None
    request_end(placement_id=one.placement_id, reason_code="lost", reason="", now=scene.NOW)
    assert at_once([lambda: tend(now=scene.after(1))] * 4) == [1] * 4
    assert Endpoint.objects.get().failures == 1
    assert at_once([lambda: tend(now=scene.after(3))] * 4) == [1] * 4
    assert going_on.count() == 2


def test_endpoints_of_a_renter_that_begin_at_once_draw_on_one_allowance(
    charlie: User,
    alice: User,
    give: Callable[..., None],
    at_once: AtOnce,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unanswered, "UNSEEN_S_DAY_MAX", 2 * FIRST_ANSWER_S_MAX)
    Market.open(charlie)
    give(alice, 10 * CPU_HOUR_MICROUSD)
    present()
    for number in range(4):
        wish(alice, f"chat-{number}", wanted=1)
    ids = list(Endpoint.objects.order_by("id").values_list("id", flat=True))
    at_once([partial(tend, now=scene.NOW, endpoint_id=one) for one in ids])
    assert Replica.objects.count() == 2
