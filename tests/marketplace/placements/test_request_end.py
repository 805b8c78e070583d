import pytest

from marketplace.placements import queries
from marketplace.placements.actions.extend_funding import PlacementEnding, extend_funding
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement, PlacementEvent
from protocol.agent import ObservedState, Want
from tests.marketplace.scene import after, machine, placement, seen

pytestmark = pytest.mark.django_db


def stop(placement_id: object, at: float = 5) -> object:
    return request_end(
        placement_id=placement_id,  # type: ignore[arg-type]
        reason_code="renter",
        reason="You ended it.",
        now=after(at),
    )


@pytest.mark.parametrize("observed", [None, "accepted", "preparing", "running"])
def test_a_stop_ends_a_placement_in_every_live_state(observed: str | None) -> None:
    on = machine()
    it = placement(on)
    if observed:
        observe(machine_id=on.id, observed=[seen(it.id, ObservedState(observed))], now=after(1))
    stop(it.id)
    it.refresh_from_db()
    assert (it.state, it.want, it.stop_requested_at) == ("collecting", Want.END, after(5))
    assert it.deadline_at == after(305)
    (wanted,) = queries.desired(on.id, after(6))
    assert (wanted.want, wanted.run_for_ms) == (Want.END, None)


def test_a_second_stop_keeps_the_first_moment() -> None:
    it = placement(machine())
    stop(it.id, at=5)
    stop(it.id, at=9)
    it.refresh_from_db()
    assert it.stop_requested_at == after(5)
    assert PlacementEvent.objects.count() == 2


def test_an_extension_moves_the_funded_time_and_the_deadline() -> None:
    on = machine()
    it = placement(on, funded_s=600)
    observe(machine_id=on.id, observed=[seen(it.id, ObservedState.RUNNING)], now=after(1))
    Placement.objects.update(reachable_at=after(1))
    before = queries.revision(on.id)
    extend_funding(placement_id=it.id, funded_until=after(900), now=after(2))
    it.refresh_from_db()
    assert (it.funded_until, it.deadline_at) == (after(900), after(1020))
    assert queries.revision(on.id) == before + 1
    assert queries.desired(on.id, after(100))[0].run_for_ms == 800_000


def test_an_extension_before_it_runs_leaves_the_deadline_of_its_state() -> None:
    it = placement(machine())
    extend_funding(placement_id=it.id, funded_until=after(9000), now=after(2))
    it.refresh_from_db()
    assert it.deadline_at == after(60)


def test_an_extension_never_shortens() -> None:
    it = placement(machine(), funded_s=600)
    extend_funding(placement_id=it.id, funded_until=after(10), now=after(2))
    it.refresh_from_db()
    assert it.funded_until == after(600)


def test_what_ends_already_is_not_extended() -> None:
    it = placement(machine())
    stop(it.id)
    with pytest.raises(PlacementEnding):
        extend_funding(placement_id=it.id, funded_until=after(9000), now=after(6))
