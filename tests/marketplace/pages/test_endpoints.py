"""A renter's endpoints in the browser."""

from collections.abc import Callable

from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import User
from marketplace.endpoints.actions import create as creation
from marketplace.endpoints.models import Endpoint, Replica
from protocol.agent import Want
from protocol.hardware import Resources
from tests.marketplace import scene
from tests.marketplace.endpoints.conftest import present
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market


def create(renter: User, name: str = "chat") -> creation.Created:
    present()
    return creation.create(
        renter_id=renter.pk,
        asked=creation.Asked(
            name=name,
            parts={"image": "debian:12", "command": (), "environment": {"SECRET": "hush-hush"}},
            http_port=8080,
            resources=Resources.of(cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB),
            gpu_model="",
            replicas=1,
            price_hour_microusd_max=CPU_HOUR_MICROUSD,
        ),
        now=scene.NOW,
    )


def test_an_endpoint_shows_its_address_and_its_replicas_and_no_secret(
    renter: Client, market: Market, alice: User
) -> None:
    assert "berth endpoints create" in renter.get("/endpoints/").content.decode()
    made = create(alice)
    page = renter.get("/endpoints/").content.decode()
    assert f"http://127.0.0.1:8010/{made.endpoint_id}" in page
    assert "0 of 1 replicas answer" in page
    assert str(market.machine.id)[:8] in page
    assert made.key not in page
    assert "hush-hush" not in page


def test_it_is_scaled_and_deleted_by_plain_forms(
    renter: Client, market: Market, alice: User
) -> None:
    path = f"/endpoints/{create(alice).endpoint_id}"
    assert renter.post(f"{path}/scale", {"replicas": "2"}, follow=True).status_code == 200
    assert Replica.objects.filter(placement__want=Want.RUN).count() == 2
    gone = Replica.objects.order_by("id").first()
    assert gone is not None
    dismiss = f"{path}/replicas/{gone.placement_id}/dismiss"
    assert dismiss in renter.get("/endpoints/").content.decode()
    page = renter.post(dismiss, follow=True).content.decode()
    assert "none begins on its machine any more" in page
    assert dismiss not in page
    assert not Replica.objects.filter(placement__want=Want.RUN).exists()
    refused = renter.post(f"{path}/scale", {"replicas": "9"}, follow=True).content.decode()
    assert "Choose how many replicas" in refused
    assert Endpoint.objects.get().wanted == 2
    assert "is deleted" in renter.post(f"{path}/delete", follow=True).content.decode()
    assert not Replica.objects.filter(placement__want=Want.RUN).exists()


def test_nobody_else_sees_or_changes_it(
    market: Market, renter: Client, alice: User, bob: User, browser_of: Callable[[User], Client]
) -> None:
    path = f"/endpoints/{create(alice).endpoint_id}"
    other = browser_of(bob)
    assert (
        "chat"
        not in other.get("/endpoints/")
        .content.decode()
        .split("<main")[1]
        .split("You have no endpoint")[0]
    )
    (placement_id,) = Replica.objects.values_list("placement_id", flat=True)
    for under in ("scale", "delete", f"replicas/{placement_id}/dismiss"):
        assert other.post(f"{path}/{under}", {"replicas": "0"}).status_code == 404
    assert Endpoint.objects.get().wanted == 1
    assert Client().get("/endpoints/").status_code == 302


def test_more_endpoints_cost_no_more_questions(
    renter: Client,
    market: Market,
    alice: User,
    django_assert_max_num_queries: Callable[[int], CaptureQueriesContext],
) -> None:
    for name in ("one", "two", "three"):
        create(alice, name)
    with django_assert_max_num_queries(7):
        renter.get("/endpoints/")
