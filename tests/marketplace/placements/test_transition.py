from itertools import product

import pytest
from django.db import IntegrityError, transaction

from marketplace.domain.placement import ENDED, TABLE, Event, NoTransition, PlacementState
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.models import Placement, PlacementEvent
from tests.marketplace.scene import after, machine, placement

pytestmark = pytest.mark.django_db


def in_state(state: PlacementState) -> Placement:
    it = placement(machine())
    it.state = state
    if state in ENDED:
        it.deadline_at, it.ended_at = None, after(1)
    it.save()
    return it


@pytest.mark.parametrize(("state", "event"), list(product(PlacementState, Event)))
def test_the_database_follows_the_table_and_writes_one_event_a_move(
    state: PlacementState, event: Event
) -> None:
    it = in_state(state)
    expected = TABLE.get((state, event))
    if expected is None:
        with pytest.raises(NoTransition):
            apply(placement=it, event=event, now=after(2))
    else:
        assert apply(placement=it, event=event, now=after(2)) is expected
    it.refresh_from_db()
    assert it.state == (expected or state)
    assert PlacementEvent.objects.filter(event=event).count() == (expected is not None)
    assert (it.deadline_at is None) == (it.state in ENDED)


def test_who_looked_before_somebody_else_moved_it_changes_nothing() -> None:
    it = placement(machine())
    stale = Placement.objects.get(id=it.id)
    apply(placement=it, event=Event.RUN, now=after(1))
    with pytest.raises(Overtaken):
        apply(placement=stale, event=Event.LATE, now=after(2))
    it.refresh_from_db()
    assert it.state == "running"
    assert PlacementEvent.objects.count() == 2


@pytest.mark.parametrize(
    "wrong", [{"deadline_at": None}, {"ended_at": after(1)}, {"freed_at": after(1)}]
)
def test_the_database_refuses_a_live_placement_without_deadline_or_slice(
    wrong: dict[str, object],
) -> None:
    it = placement(machine())
    with pytest.raises(IntegrityError), transaction.atomic():
        Placement.objects.filter(id=it.id).update(**wrong)
