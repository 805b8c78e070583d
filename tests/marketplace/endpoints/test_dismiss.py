"""A replica that is sent away takes its machine with it, for this endpoint."""

from collections.abc import Callable
from uuid import uuid4

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.models import Endpoint, Replica
from protocol.agent import Want
from tests.marketplace import scene
from tests.marketplace.endpoints.conftest import PRICE, Site, going_on
from tests.marketplace.rentals.market import Market


def machines() -> set[object]:
    """Return where the replicas run that go on."""
    live = Replica.objects.filter(placement__want=Want.RUN)
    return set(live.values_list("placement__machine_id", flat=True))


def test_another_begins_elsewhere_and_none_on_that_machine_any_more(
    site: Site, bob: User, give: Callable[..., None]
) -> None:
    give(site.renter, 9 * PRICE)
    other = Market.open(bob).machine
    made = site.created(replicas=4)
    assert machines() == {site.market.machine.id, other.id}
    bad = Replica.objects.filter(placement__machine=site.market.machine).order_by("id")
    path = f"/endpoints/{made['id']}/replicas/{bad[0].placement_id}"
    assert site.call("DELETE", path).status_code == 204
    # Both that were there, and both were replaced.
    assert (machines(), going_on()) == ({other.id}, 4)
    assert {one.placement.reason_code for one in bad} == {"replica_dismissed"}
    assert Endpoint.objects.get().failures == 0
    scaled = site.call("PATCH", f"/endpoints/{made['id']}", {"replicas": 5}).json()
    assert scaled["problem_code"] == "no_offer"
    # Another endpoint begins there as before.
    site.created(name="other")
    assert machines() == {site.market.machine.id, other.id}


def test_only_an_own_replica_of_this_endpoint_is_dismissed(site: Site, bob: User) -> None:
    made, other = site.created(), site.created(name="other")
    ids = dict(Replica.objects.values_list("endpoint__name", "placement_id"))
    for endpoint, placement_id in ((made, ids["other"]), (made, uuid4()), (other, ids["echo"])):
        path = f"/endpoints/{endpoint['id']}/replicas/{placement_id}"
        answer = site.call("DELETE", path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    site.key = issue(user_id=bob.pk, name="bob", now=scene.NOW).secret
    path = f"/endpoints/{made['id']}/replicas/{ids['echo']}"
    assert site.call("DELETE", path).status_code == 404
    tend(now=scene.after(1))
    assert going_on() == 2
