from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.domain.matching import ExceedsMachine, MachineOffline, OfferTaken
from marketplace.machines.actions.mark_offline import mark_offline
from marketplace.placements import queries
from marketplace.placements.models import Lease, Placement, PlacementEvent
from protocol.agent import DESIRED_MOST, Want
from tests.marketplace.scene import GIB, NOW, after, hardware, machine, placement

pytestmark = pytest.mark.django_db


def test_a_placement_takes_its_slice_and_gpus_of_the_machine() -> None:
    on = machine(of=hardware(cpus=4, gpus=2))
    made = placement(on, cpus=3, gpus=1)
    on.refresh_from_db()
    assert (on.cpus_free, on.gpus_free) == (1, 1)
    assert on.memory_bytes_free == 7 * GIB
    assert on.disk_bytes_free == 98 * GIB
    assert list(Lease.objects.values_list("gpu_uuid", flat=True)) == made.gpu_uuids == ["GPU-0"]


def statements(done: CaptureQueriesContext) -> list[str]:
    words = [each["sql"].split(maxsplit=1)[0] for each in done.captured_queries]
    return [word for word in words if word not in ("SAVEPOINT", "RELEASE", "ROLLBACK")]


def test_it_is_made_by_five_statements_and_who_is_late_is_refused_by_two() -> None:
    on = machine(of=hardware(cpus=4, gpus=1))
    with CaptureQueriesContext(connection) as done:
        placement(on, cpus=4, gpus=1)
    assert statements(done) == ["UPDATE", "SELECT", "INSERT", "INSERT", "INSERT"]
    with CaptureQueriesContext(connection) as done, pytest.raises(OfferTaken):
        placement(on, cpus=4, gpus=1)
    assert statements(done) == ["UPDATE", "SELECT"]


def test_a_new_placement_is_offered_for_sixty_seconds_and_written_down() -> None:
    made = placement(machine())
    assert (made.state, made.deadline_at) == ("offered", NOW + timedelta(seconds=60))
    event = PlacementEvent.objects.get()
    assert (event.event, event.old_state, event.new_state) == ("place", "", "offered")


def test_a_new_placement_is_desired_with_its_funded_time_and_raises_the_revision() -> None:
    on = machine()
    before = queries.revision(on.id)
    made = placement(on, funded_s=600)
    (wanted,) = queries.desired(on.id, after(100))
    assert (wanted.placement_id, wanted.want, wanted.run_for_ms) == (made.id, Want.RUN, 500_000)
    assert wanted.authorized_keys == ("ssh-ed25519 AAAAC3Nz",)
    assert queries.revision(on.id) == before + 1


def test_two_placements_get_different_gpus() -> None:
    on = machine(of=hardware(gpus=2))
    first, second = placement(on, gpus=1), placement(on, gpus=1)
    assert {*first.gpu_uuids, *second.gpu_uuids} == {"GPU-0", "GPU-1"}


def test_more_than_is_left_is_taken_and_takes_nothing() -> None:
    on = machine(of=hardware(cpus=2))
    placement(on, cpus=2)
    with pytest.raises(OfferTaken):
        placement(on, cpus=1)
    assert Placement.objects.count() == 1


def test_a_machine_has_no_more_than_one_reply_tells() -> None:
    on = machine()
    on.__class__.objects.update(ports_total=DESIRED_MOST)
    first = placement(on)
    others = Placement.objects.filter(id=first.id).values()[0] | {"state": "failed"}
    others |= {"deadline_at": None, "ended_at": NOW}
    Placement.objects.bulk_create(
        Placement(**others | {"id": uuid4()}) for _ in range(DESIRED_MOST - 1)
    )
    with pytest.raises(OfferTaken, match="as many rentals as it can have"):
        placement(on)
    Placement.objects.filter(id=first.id).delete()
    placement(on)


def test_gpus_that_are_leased_although_the_counter_says_free_are_taken() -> None:
    on = machine(of=hardware(gpus=1))
    placement(on, gpus=1)
    on.__class__.objects.update(gpus_free=1)
    with pytest.raises(OfferTaken):
        placement(on, gpus=1)


def test_more_than_the_machine_has_is_refused_with_the_part_named() -> None:
    on = machine()
    with pytest.raises(ExceedsMachine, match="memory"):
        placement(on, ram_bytes=9 * GIB)
    on.refresh_from_db()
    assert on.memory_bytes_free == on.memory_bytes_total


def test_a_silent_machine_gets_no_placement() -> None:
    on = machine()
    mark_offline(now=after(61))
    with pytest.raises(MachineOffline):
        placement(on)


def test_desired_is_one_query(django_assert_num_queries: object) -> None:
    on = machine()
    for _ in range(3):
        placement(on)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert len(queries.desired(on.id, NOW)) == 3


def test_nothing_is_desired_on_another_machine() -> None:
    placement(machine())
    assert queries.desired(machine().id, NOW) == ()
    assert queries.desired(uuid4(), NOW) == ()
