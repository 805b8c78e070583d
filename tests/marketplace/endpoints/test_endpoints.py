"""Alice's endpoint on Charlie's machine: what begins, what is paid, and what is begun anew."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.endpoints import key as keys
from marketplace.endpoints.actions.register_gateway import forget_gateways
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.gateway import routes
from marketplace.endpoints.models import Endpoint, Replica
from marketplace.metering.actions.charge import charge_all
from marketplace.offers.models import Offer
from protocol.agent import ObservedState, Want
from tests.marketplace import scene
from tests.marketplace.endpoints.conftest import (
    GATEWAY,
    PRICE,
    SECOND_GATEWAY,
    Site,
    going_on,
    newest,
    present,
    process_of,
)
from tests.marketplace.statements import updated


def test_a_new_endpoint_has_a_replica_at_once_and_is_ready_when_a_gateway_saw_it(
    site: Site,
) -> None:
    made = site.created()
    assert (made["state"], made["replicas_wanted"], len(made["replicas"])) == ("starting", 1, 1)
    assert made["url"] == f"http://127.0.0.1:8010/{made['id']}"
    assert "key" not in site.see(made)
    replica = newest()
    reply = site.tell(replica, ObservedState.RUNNING, at=1, age_ms=0)
    (desired,) = reply.desired
    assert (desired.workload.http_port, desired.authorized_keys) == (8080, ())
    assert site.see(made, at=2)["state"] == "starting"
    assert site.look(replica, at=3)
    seen = site.see(made, at=4)
    assert (seen["state"], seen["replicas_ready"]) == ("ready", 1)
    assert seen["replicas"][0]["state"] == "ready"


def test_a_gateway_finds_the_replicas_that_run_and_knows_the_key(site: Site) -> None:
    made = site.created()
    (route,) = routes.read().values()
    assert (route.targets, route.key_digest) == ((), keys.digest(made["key"]))
    replica = newest()
    site.tell(replica, ObservedState.RUNNING, at=1, age_ms=0)
    (target,) = routes.read()[route.endpoint_id].targets
    machine = site.market.machine
    assert (target.placement_id, target.http_port) == (replica.placement_id, 8080)
    assert (target.machine.key, target.machine.port) == (machine.machine_key, machine.control_port)
    renewed = site.call("POST", f"/endpoints/{made['id']}/key").json()
    assert routes.read()[route.endpoint_id].key_digest == keys.digest(renewed["key"])
    site.call("DELETE", f"/endpoints/{made['id']}")
    assert routes.read() == {}


def test_only_machines_with_a_replica_let_gateways_in(site: Site) -> None:
    assert site.market.agent.sync(scene.after(1)).gateways == ()
    site.created()
    first = site.market.agent.sync(scene.after(2))
    assert first.gateways == (GATEWAY,)
    present(SECOND_GATEWAY, now=scene.after(3))
    present(SECOND_GATEWAY, now=scene.after(4))
    second = site.market.agent.sync(scene.after(5))
    assert second.gateways == (GATEWAY, SECOND_GATEWAY)
    # Once: a held call is woken by it.
    assert second.revision == first.revision + 1
    assert forget_gateways(now=scene.after(3602)) == 1
    assert site.market.agent.sync(scene.after(3603)).gateways == (SECOND_GATEWAY,)


def test_a_second_is_charged_between_two_looks_of_the_gateway(site: Site) -> None:
    made = site.created()
    replica = newest()
    site.tell(replica, ObservedState.RUNNING, at=10, age_ms=0)
    site.look(replica, at=20)
    site.look(replica, at=50)
    # Its nonce is of this second: what came before it is proven.
    site.market.agent.sync(scene.after(60))
    site.tell(replica, ObservedState.RUNNING, at=60, age_ms=50_000, counted=(0, 50_000))
    charge_all(now=scene.after(60))
    assert site.see(made, at=60)["cost_microusd"] == 30 * PRICE // 3600
    site.look(replica, at=61, answered=False)
    site.tell(replica, ObservedState.RUNNING, at=90, age_ms=80_000, counted=(50_000, 80_000))
    charge_all(now=scene.after(90))
    assert site.see(made, at=90)["cost_microusd"] == 30 * PRICE // 3600


def test_one_that_no_gateway_ever_saw_costs_nothing(site: Site) -> None:
    made = site.created()
    replica = newest()
    site.tell(replica, ObservedState.RUNNING, at=10, age_ms=0)
    site.market.agent.sync(scene.after(60))
    site.tell(replica, ObservedState.RUNNING, at=60, age_ms=50_000, counted=(0, 50_000))
    charge_all(now=scene.after(60))
    assert site.see(made, at=60)["cost_microusd"] == 0


def test_only_the_eldest_gateway_that_is_there_says_what_answers(site: Site) -> None:
    site.created()
    replica = newest()
    site.tell(replica, ObservedState.RUNNING, at=1, age_ms=0)
    present(SECOND_GATEWAY, now=scene.after(100))
    assert not site.look(replica, at=101, by=process_of(SECOND_GATEWAY))
    assert site.look(replica, at=101, by=process_of(GATEWAY))
    assert site.look(replica, at=200, by=process_of(SECOND_GATEWAY))


@pytest.mark.parametrize(
    "state", [ObservedState.GONE, ObservedState.COLLECTING], ids=["gone", "collecting"]
)
def test_a_replica_that_failed_is_begun_anew_after_a_while_that_doubles(
    site: Site, state: ObservedState
) -> None:
    made = site.created()
    at = 1.0
    for wait in (2, 4, 8):
        site.tell(newest(), ObservedState.RUNNING, at=at, age_ms=0)
        site.tell(newest(), state, at=at, problem="container_lost")
        site.tell(newest(), ObservedState.GONE, at=at)
        charge_all(now=scene.after(at))
        tend(now=scene.after(at))
        seen = site.see(made, at=at)
        assert (seen["problem_code"], seen["problem"]) == (
            "container_lost",
            "It said container_lost.",
        )
        assert going_on() == 0
        tend(now=scene.after(at + wait - 0.1))
        assert going_on() == 0
        at += wait
        tend(now=scene.after(at))
        assert going_on() == 1
    assert Replica.objects.count() == 4


def test_failures_are_forgotten_once_it_answers_steadily(site: Site) -> None:
    made = site.created()
    site.tell(newest(), ObservedState.GONE, at=1, problem="container_lost")
    tend(now=scene.after(1))
    tend(now=scene.after(3))
    site.ready(newest(), at=4)
    tend(now=scene.after(63))
    assert site.see(made, at=63)["problem_code"] == "container_lost"
    tend(now=scene.after(64))
    seen = site.see(made, at=64)
    assert (seen["problem_code"], seen["problem"]) == ("", "")
    assert Endpoint.objects.get().failures == 0


def test_one_that_fell_silent_is_replaced(site: Site) -> None:
    made = site.created()
    former = newest()
    site.ready(former, at=1)
    site.look(former, at=10, answered=False)
    assert site.see(made, at=11)["state"] == "starting"
    tend(now=scene.after(129))
    assert going_on() == 1
    tend(now=scene.after(130))
    former.placement.refresh_from_db()
    assert former.placement.reason_code == "replica_silent"
    tend(now=scene.after(132))
    assert newest().id != former.id


def test_a_miss_of_a_gateway_that_sees_nothing_loses_no_replica(site: Site) -> None:
    site.created()
    replica = newest()
    site.ready(replica, at=1)
    for number in range(8):
        site.market.agent.sync(scene.after(2 + number))
        site.look(replica, at=2 + number, answered=False, blind=True)
    replica.placement.refresh_from_db()
    assert replica.placement.door is not None
    assert replica.placement.door.misses == 0
    # Its first look that failed told nothing yet of the others; 125 s later it still sees nothing.
    site.look(replica, at=11, answered=False)
    for at in (12, 72, 132):
        site.look(replica, at=at, answered=False, blind=True)
    tend(now=scene.after(135))
    assert going_on() == 1
    site.look(replica, at=140, by=process_of(GATEWAY))
    site.look(replica, at=141, answered=False)
    present(now=scene.after(141))
    for at in (200, 251, 262):
        site.market.agent.sync(scene.after(at))
        tend(now=scene.after(at))
        assert going_on() == (at < 261)


def test_nothing_is_silent_or_mute_while_no_gateway_looks(site: Site) -> None:
    site.created(replicas=2)
    fell_silent, mute = Replica.objects.order_by("id")
    site.ready(fell_silent, at=1)
    site.look(fell_silent, at=100, answered=False)
    site.tell(mute, ObservedState.RUNNING, at=101, age_ms=0)
    tend(now=scene.after(1002))
    present(now=scene.after(1003))
    tend(now=scene.after(1004))
    assert going_on() == 2
    tend(now=scene.after(1003 + 120))
    fell_silent.placement.refresh_from_db()
    assert fell_silent.placement.reason_code == "replica_silent"


def test_a_program_that_opens_to_looks_alone_is_lost(site: Site) -> None:
    site.created()
    replica = newest()
    site.ready(replica, at=1)
    for number in range(8):
        site.market.agent.sync(scene.after(20 + number))
        site.look(replica, at=20 + number, answered=False)
        site.look(replica, at=20.5 + number)
    tend(now=scene.after(30))
    replica.placement.refresh_from_db()
    # A program that opens to looks alone would compute for nothing.
    assert replica.placement.reason_code == "replica_silent"


def test_scaling_begins_and_ends_replicas_and_zero_stops_it(site: Site) -> None:
    made = site.created()
    path = f"/endpoints/{made['id']}"
    site.ready(newest(), at=1)
    assert site.call("PATCH", path, {"replicas": 3}, at=2).json()["state"] == "degraded"
    assert going_on() == 3
    seen = site.call("PATCH", path, {"replicas": 1}, at=3).json()
    assert (seen["state"], going_on()) == ("ready", 1)
    stopped = site.call("PATCH", path, {"replicas": 0}, at=4).json()
    assert (stopped["state"], going_on()) == ("stopped", 0)
    assert Endpoint.objects.get().failures == 0
    assert site.call("PATCH", path, {"replicas": 9}).status_code == 422


def test_what_is_deleted_is_over_and_its_name_is_free(site: Site) -> None:
    made = site.created()
    refused = site.create()
    assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_exists")
    assert site.call("DELETE", f"/endpoints/{made['id']}").status_code == 204
    assert going_on() == 0
    assert site.call("GET", f"/endpoints/{made['id']}").status_code == 404
    assert site.call("GET", "/endpoints").json() == {"items": []}
    site.created()


def test_a_price_that_is_too_low_waits_for_a_better_offer(site: Site) -> None:
    made = site.created(price_hour_microusd_max=PRICE - 1)
    assert (made["problem_code"], made["replicas"]) == ("no_offer", [])
    Offer.objects.update(price_cpu_hour_microusd=PRICE // 2, price_hour_microusd=PRICE // 2)
    tend(now=scene.after(14))
    assert going_on() == 0
    tend(now=scene.after(15))
    assert going_on() == 1


def test_who_has_no_money_hears_so_and_raising_the_wallet_is_enough(
    site: Site, give: Callable[..., None]
) -> None:
    made = site.created(replicas=4)
    assert (made["problem_code"], len(made["replicas"])) == ("insufficient_funds", 3)
    give(site.renter, PRICE)
    tend(now=scene.after(15))
    assert going_on() == 4


def test_time_is_paid_ahead_and_what_cannot_be_paid_ends(site: Site) -> None:
    made = site.created()
    replica = newest()
    site.ready(replica, at=1)
    tend(now=scene.after(1700))
    assert newest().worst_total_microusd == PRICE
    with CaptureQueriesContext(connection) as done:
        tend(now=scene.after(1801))
    tables = updated(done)
    # The placement before the money, as everybody locks them.
    assert tables.index("placements_placement") < tables.index("ledger_account")
    replica.placement.refresh_from_db()
    assert replica.placement.funded_until == scene.after(1801 + 3600)
    assert newest().worst_total_microusd == PRICE + PRICE * 1801 // 3600
    # The wallet has some 2.5 of 3 prices less one; the third extension is beyond it.
    for at in range(1801, 9100, 400):
        tend(now=scene.after(at))
    seen = site.see(made, at=9100)
    assert seen["problem_code"] == "insufficient_funds"
    until = datetime.fromisoformat(seen["replicas"][0]["funded_until"])
    tend(now=until)
    replica.placement.refresh_from_db()
    assert replica.placement.reason_code == "replica_unfunded"


def test_it_is_nobodys_but_alices(site: Site, bob: User) -> None:
    made = site.created()
    site.key = issue(user_id=bob.pk, name="bob", now=scene.NOW).secret
    path = f"/endpoints/{made['id']}"
    assert site.call("GET", "/endpoints").json() == {"items": []}
    for method, under in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/key")):
        answer = site.call(method, path + under)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert going_on() == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"image": "no image"}, "image_unknown"),
        ({"name": "No Name"}, "invalid"),
        ({"replicas": 0}, "invalid"),
        ({"http_port": 0}, "invalid"),
        ({"resources": {"cpu": {"count": 1}, "gpu": {"count": 0}, "ram": {"capacity": 1},
                        "hard_disk": {"capacity": 1}}}, "too_small"),
    ],
)  # fmt: skip
def test_what_could_never_run_is_refused(site: Site, changed: dict[str, Any], code: str) -> None:
    answer = site.create(**changed)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Endpoint.objects.exists()


def test_an_ssh_door_that_a_machine_names_proves_no_replica(site: Site) -> None:
    site.created()
    replica = newest()
    door = {"ssh_port": 20001, "ssh_host_key": scene.HOST_KEY}
    site.tell(replica, ObservedState.RUNNING, at=1, age_ms=0, **door)
    site.market.see(at=scene.after(2))
    replica.placement.refresh_from_db()
    assert replica.placement.reachable_at is None


def test_one_that_its_machine_stopped_is_ended_and_begun_anew(site: Site) -> None:
    made = site.created()
    former = newest()
    site.ready(former, at=1)
    site.tell(former, ObservedState.STOPPED, at=2, problem="start_failed")
    tend(now=scene.after(3))
    former.placement.refresh_from_db()
    assert former.placement.want == Want.END
    seen = site.see(made, at=3)
    assert (seen["problem_code"], seen["problem"]) == ("start_failed", "It said start_failed.")
    tend(now=scene.after(5))
    assert newest().id != former.id


def test_nothing_begins_while_no_gateway_could_reach_it(site: Site) -> None:
    # The newest word of the only gateway is three minutes old.
    made = site.created()
    site.call("PATCH", f"/endpoints/{made['id']}", {"replicas": 2}, at=180)
    assert site.see(made, at=180)["problem_code"] == "no_gateway"
    assert going_on() == 1
    present(now=scene.after(190))
    tend(now=scene.after(195))
    assert going_on() == 2
