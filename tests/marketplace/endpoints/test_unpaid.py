"""What an endpoint's replicas do unpaid, or ask of the site, is limited."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.actions.count_attempt import count
from marketplace.accounts.models import ApiKey, SpendLimit, User
from marketplace.domain.endpoint import FIRST_ANSWER_S_MAX
from marketplace.domain.spending import Period
from marketplace.endpoints import unanswered
from marketplace.endpoints.actions.create import CREATIONS
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.models import Endpoint, Replica
from marketplace.ledger import queries as ledger
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter
from marketplace.metering.unseen import unseen_s
from marketplace.notices.actions.tell_money import burning, tell_money
from marketplace.notices.models import Notice
from protocol.agent import ObservedState
from protocol.workload import PlacementKind
from tests.marketplace import scene
from tests.marketplace.endpoints.conftest import PRICE, Site, going_on, newest, present


@pytest.mark.parametrize("answers", [False, True], ids=["mute", "answers_at_its_end"])
def test_who_stops_and_starts_replicas_that_do_not_answer_computes_unpaid_only_so_long_a_day(
    site: Site, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unanswered, "UNSEEN_S_DAY_MAX", 3 * FIRST_ANSWER_S_MAX)
    made = site.created()
    at = 0.0
    for _ in range(3):
        assert going_on() == 1, site.see(made)["problem"]
        site.tell(newest(), ObservedState.RUNNING, at=at + 10, age_ms=0)
        at += 850
        site.market.agent.sync(scene.after(at))
        present(now=scene.after(at))
        if answers:
            site.look(newest(), at=at)
        former = newest()
        site.call("PATCH", f"/endpoints/{made['id']}", {"replicas": 0}, at=at)
        site.tell(former, ObservedState.GONE, at=at)
        charge_all(now=scene.after(at))
        site.call("PATCH", f"/endpoints/{made['id']}", {"replicas": 1}, at=at)
    assert going_on() == 0
    assert site.see(made, at=at)["problem_code"] == "replicas_unanswering"
    tomorrow = scene.after(at + 86_400)
    assert unseen_s(renter_id=site.renter.pk, kind=PlacementKind.REPLICA, now=tomorrow) == 0


def test_what_is_paid_of_a_replica_forgives_that_it_took_long_to_load(site: Site) -> None:
    site.created()
    site.tell(newest(), ObservedState.RUNNING, at=0, age_ms=0)
    present(now=scene.after(800))
    assert site.look(newest(), at=800)
    asked = {"renter_id": site.renter.pk, "kind": PlacementKind.REPLICA, "now": scene.after(801)}
    assert unseen_s(**asked) == 800
    Meter.objects.update(proven_ms=2_000_000)
    assert unseen_s(**asked) == 300
    Meter.objects.update(proven_ms=4_000_000)
    assert unseen_s(**asked) == 0
    assert unseen_s(**asked | {"kind": PlacementKind.RENTAL}) == 0


def test_what_a_silent_replica_may_have_done_counts_and_its_machines_failure_does_not(
    site: Site,
) -> None:
    site.created(replicas=2)
    first, second = Replica.objects.order_by("begun_at", "id")
    for replica in (first, second):
        site.ready(replica, at=1)
    site.look(first, at=10, answered=False)
    site.market.agent.sync(scene.after(130))
    tend(now=scene.after(130))
    asked = {"renter_id": site.renter.pk, "kind": PlacementKind.REPLICA}
    assert unseen_s(**asked, now=scene.after(131)) == 120
    site.look(second, at=140, answered=False)
    site.tell(second, ObservedState.GONE, at=200, problem="container_lost")
    assert unseen_s(**asked, now=scene.after(201)) == 120


def test_no_more_replicas_of_a_renter_begin_than_may_stay_mute(
    site: Site, give: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unanswered, "UNSEEN_S_DAY_MAX", 3 * FIRST_ANSWER_S_MAX)
    give(site.renter, 20 * PRICE)
    site.created(replicas=2)
    site.created(name="other", replicas=2)
    assert going_on() == 3
    site.ready(newest(), at=0)
    tend(now=scene.after(15))
    assert going_on() == 4


def test_stopping_and_starting_shortens_no_wait_after_a_failure(site: Site) -> None:
    made = site.created()
    site.tell(newest(), ObservedState.GONE, at=1, problem="container_lost")
    tend(now=scene.after(1))
    for replicas in (0, 1):
        site.call("PATCH", f"/endpoints/{made['id']}", {"replicas": replicas}, at=2)
    assert going_on() == 0
    tend(now=scene.after(3))
    assert going_on() == 1


def test_who_has_nothing_makes_no_endpoint_and_costs_the_site_less_and_less(
    site: Site,
    bob: User,
    give: Callable[..., None],
    django_assert_max_num_queries: Callable[[int], CaptureQueriesContext],
) -> None:
    made = site.created(replicas=3)
    assert (going_on(), ledger.balance(site.renter.pk)) == (3, 0)
    refused = site.create(name="other")
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_funds")
    site.call("PATCH", f"/endpoints/{made['id']}", {"replicas": 4}, at=1)
    waits, at = [], datetime.fromisoformat(site.see(made)["retry_at"])
    # It asks what it has and what it wants, and looks at no offer.
    for _ in range(6):
        with django_assert_max_num_queries(30):
            tend(now=at)
        again = datetime.fromisoformat(site.see(made)["retry_at"])
        waits.append((again - at).total_seconds())
        at = again
    assert waits == [30, 60, 120, 240, 240, 240]
    # Whoever adds money and does not want to wait for it scales.
    give(site.renter, PRICE)
    site.market.agent.sync(at)
    present(now=at)
    site.call("PATCH", f"/endpoints/{made['id']}", at=(at - scene.NOW).total_seconds())
    assert going_on() == 4
    assert Endpoint.objects.get().waits == 0


def test_endpoints_that_wait_or_are_well_cost_a_pass_nothing(
    site: Site, django_assert_num_queries: Callable[[int], CaptureQueriesContext]
) -> None:
    for number in range(3):
        site.created(name=f"waits-{number}", price_hour_microusd_max=PRICE - 1)
    site.created(name="runs")
    site.ready(newest(), at=1)
    with django_assert_num_queries(4):
        assert tend(now=scene.after(2)) == 1


def test_what_is_deleted_leaves_nothing_large_behind_and_is_not_made_without_end(
    site: Site,
) -> None:
    ran, never = site.created(), site.created(name="other", price_hour_microusd_max=PRICE - 1)
    for made in (ran, never):
        assert site.call("DELETE", f"/endpoints/{made['id']}").status_code == 204
    assert [one.workload for one in Endpoint.objects.all()] == [{}]
    for _ in range(CREATIONS.attempts_max - 2):
        count(limit=CREATIONS, subject=str(site.renter.pk), now=scene.NOW)
    refused = site.create()
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


def test_a_closed_account_has_no_replicas(site: Site) -> None:
    site.created()
    site.ready(newest(), at=1)
    User.objects.filter(id=site.renter.pk).update(is_active=False)
    for at in (2, 3):
        tend(now=scene.after(at))
    assert (going_on(), Replica.objects.count()) == (0, 1)
    User.objects.filter(id=site.renter.pk).update(is_active=True)
    tend(now=scene.after(4))
    assert going_on() == 1


def test_its_renter_is_warned_when_the_balance_lasts_for_hours_only(site: Site) -> None:
    site.created(replicas=1)
    price = newest().meter.price_hour_microusd
    held = newest().worst_total_microusd
    assert burning() == {site.renter.pk: (price, held)}
    tell_money(now=scene.after(1))
    assert 1 < (ledger.balance(site.renter.pk) + held) / price < 4
    assert "less than 4 hours" in Notice.objects.get(user=site.renter, kind="balance_low").title
    Replica.objects.update(over_at=scene.after(2))
    assert burning() == {}


def test_a_replica_counts_against_the_limit_of_the_key_that_made_its_endpoint(site: Site) -> None:
    key = ApiKey.objects.get(user=site.renter)
    bound = SpendLimit.objects.create(
        user=site.renter, api_key=key, period=Period.TOTAL, limit_microusd=PRICE // 2
    )
    made = site.created(replicas=1)
    assert site.see(made)["problem_code"] == "spend_limit_reached"
    assert (going_on(), ledger.held(site.renter.pk)) == (0, 0)
    SpendLimit.objects.update(limit_microusd=10 * PRICE)
    site.call("PATCH", f"/endpoints/{made['id']}", {"replicas": 1}, at=1)
    bound.refresh_from_db()
    assert (going_on(), bound.counted_microusd) == (1, newest().worst_total_microusd)
