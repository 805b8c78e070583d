"""Two passes at once begin no more replicas than are wanted, and count a failure once."""

from collections.abc import Callable, Sequence

import pytest

from marketplace.accounts.models import User
from marketplace.endpoints.actions.register_gateway import register
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.models import Endpoint, Replica
from marketplace.placements.actions.request_end import request_end
from protocol.agent import Want
from protocol.hardware import Resources
from protocol.signing import openssh_public_key
from protocol.workload import PlacementKind, Workload
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market

pytestmark = pytest.mark.django_db(transaction=True)
AtOnce = Callable[[Sequence[Callable[[], object]]], list[object]]


def test_passes_at_once_begin_as_many_as_are_wanted_and_count_a_failure_once(
    charlie: User, alice: User, give: Callable[..., None], at_once: AtOnce
) -> None:
    Market.open(charlie)
    give(alice, 10 * CPU_HOUR_MICROUSD)
    register(public_key=openssh_public_key("11" * 32), now=scene.NOW)
    resources = Resources.of(cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)
    workload = Workload(
        kind=PlacementKind.REPLICA, image="debian:12", http_port=80, resources=resources
    )
    Endpoint.objects.create(
        renter=alice,
        name="chat",
        workload=workload.model_dump(mode="json"),
        wanted=2,
        price_hour_microusd_max=CPU_HOUR_MICROUSD,
        created_at=scene.NOW,
    )
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
