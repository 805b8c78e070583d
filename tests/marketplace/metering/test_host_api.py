"""Hosts see their own machines with what each earned."""

from collections.abc import Callable

import pytest

from marketplace.accounts.models import User
from marketplace.machines.actions.name_hotkey import MachineNotYours
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.hosting import hosted_machines
from protocol.agent import ObservedState
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after
from tests.marketplace.test_api import Api


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return Market.open(charlie)


def test_a_host_sees_what_each_of_its_own_machines_earned(
    market: Market, charlie: User, alice: User, bob: User, give: Callable[..., None]
) -> None:
    idle = scene.machine(host=charlie)
    strange = scene.machine(host=bob)
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(2))
    market.look(at=after(100))
    market.agent.sync(after(100))
    running = market.agent.observed(
        rental.placement_id, ObservedState.RUNNING, run=1, age_ms=98_000
    )
    market.agent.sync(
        after(100),
        placements=[running],
        intervals=[market.agent.count(rental.placement_id, 0, 98_000)],
    )
    charge_all(now=after(101))
    second_microusd = CPU_HOUR_MICROUSD // 3600
    earned = {each.machine.id: each for each in hosted_machines(charlie.pk, now=after(101)).items}
    assert earned.keys() == {market.machine.id, idle.id}
    assert earned[market.machine.id].earned_microusd == 97 * second_microusd * 95 // 100
    assert earned[idle.id].earned_microusd == 0
    assert (earned[market.machine.id].verdict, earned[idle.id].verdict) == ("verified", "new")
    assert earned[idle.id].points_micro is None
    assert [each.machine.id for each in hosted_machines(bob.pk, now=after(101)).items] == [
        strange.id
    ]


def test_a_hosts_machines_come_in_pages_and_no_other_hosts_among_them(
    charlie: User, bob: User
) -> None:
    ids = [scene.machine(host=charlie, now=after(second)).id for second in (1, 2, 3)]
    strange = scene.machine(host=bob)
    first = hosted_machines(charlie.pk, now=after(9), rows_max=2)
    assert ([one.machine.id for one in first.items], first.next_id) == (ids[:2], ids[1])
    last = hosted_machines(charlie.pk, now=after(9), after=first.next_id, rows_max=2)
    assert ([one.machine.id for one in last.items], last.next_id) == (ids[2:], None)
    end = hosted_machines(charlie.pk, now=after(9), after=ids[2])
    assert (end.items, end.next_id) == ((), None)
    with pytest.raises(MachineNotYours):
        hosted_machines(charlie.pk, now=after(9), after=strange.id)
    api = Api(charlie)
    assert len(api.get("/host/machines").json()["items"]) == 3
    page = api.get(f"/host/machines?cursor={ids[1]}").json()
    assert ([one["id"] for one in page["items"]], page["next_cursor"]) == ([str(ids[2])], None)
    assert api.get(f"/host/machines?cursor={strange.id}").status_code == 404
