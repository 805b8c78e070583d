"""Whether there is room stands beside each offer, and is true after whatever moves it."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection, transaction

from marketplace.domain.matching import SMALLEST, Slice
from marketplace.domain.placement import Event
from marketplace.machines.actions import describe, reserve
from marketplace.machines.models import Machine
from marketplace.offers import room as kept
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.actions.set_terms import set_terms
from marketplace.offers.models import Offer
from marketplace.placements.actions.transition import apply
from tests.marketplace.room import has_room, untrue
from tests.marketplace.scene import GIB, NOW, hardware, machine, placement

pytestmark = pytest.mark.django_db
filled = import_module("marketplace.offers.migrations.0009_has_room")


def offered(*, cpus: int = 4, gpus: int = 0) -> Machine:
    on = machine(of=hardware(cpus=cpus, gpus=gpus))
    list_offer(machine_id=on.id, now=NOW)
    return on


def room() -> bool:
    """Return what the only offer says, which is true."""
    offer = Offer.objects.select_related("machine").get()
    assert offer.has_room is has_room(offer)
    return offer.has_room


@pytest.mark.parametrize(
    ("machine_has", "least", "expected"),
    [
        ({}, {}, True),
        ({"cpus_free": 0}, {}, False),
        ({"cpus_free": 0, "cpus_interruptible": 1}, {}, True),
        ({"cpus_free": -1, "cpus_interruptible": 1}, {}, False),
        ({"cpus_free": 2}, {"cpus_min": 2}, True),
        ({"cpus_free": 1}, {"cpus_min": 2}, False),
        ({"memory_bytes_free": SMALLEST.memory_bytes}, {}, True),
        ({"memory_bytes_free": SMALLEST.memory_bytes - 1}, {}, False),
        ({"memory_bytes_free": -1, "memory_bytes_interruptible": GIB}, {}, True),
        ({"disk_bytes_free": SMALLEST.disk_bytes}, {}, True),
        ({"disk_bytes_free": SMALLEST.disk_bytes - 1}, {}, False),
        ({"gpus_free": 0}, {}, False),
        ({"gpus_free": 0, "gpus_interruptible": 1}, {}, True),
        ({"gpus_free": 1}, {"gpus_min": 2}, False),
        ({"gpus_free": 2}, {"gpus_min": 2}, True),
        # Of what a machine does not have, and nobody asks for, there may be less than nothing.
        ({"gpus_total": 0, "gpus_free": -1}, {}, True),
        ({"gpus_total": 0, "gpus_free": 0}, {"gpus_min": 1}, False),
    ],
)
def test_there_is_room_where_the_least_that_anybody_looks_for_fits(
    machine_has: dict[str, int], least: dict[str, int], expected: bool
) -> None:
    on = offered(gpus=2)
    Machine.objects.filter(id=on.id).update(**machine_has)
    Offer.objects.update(**least)
    assert room() is expected
    # And back, by either way.
    Machine.objects.filter(id=on.id).update(gpus_total=2, gpus_free=2, disk_bytes_free=100 * GIB)
    Machine.objects.filter(id=on.id).update(cpus_free=4, memory_bytes_free=8 * GIB)
    Offer.objects.update(cpus_min=1, gpus_min=0)
    assert room()


def test_what_takes_all_and_what_gives_it_back_say_so() -> None:
    on = offered(gpus=2)
    first = placement(on, gpus=1)
    assert room()
    second = placement(on, gpus=1)
    assert not room()
    for one in (first, second):
        apply(placement=one, event=Event.STOP, now=NOW)
        assert not room() or one is second
        apply(placement=one, event=Event.STOPPED, now=NOW)
        assert room()
    apply(placement=first, event=Event.GONE, now=NOW, changes={"gone_at": NOW})
    assert room()


def test_who_bids_leaves_room_for_who_does_not() -> None:
    on = offered(gpus=1)
    placement(on, gpus=1, bid_hour_microusd=1000)
    assert room()
    placement(on, gpus=1)
    assert not room()


def test_a_disk_that_is_full_leaves_no_room_until_it_is_given_back() -> None:
    on = offered()
    disk = Slice(cpus=0, memory_bytes=0, disk_bytes=on.disk_bytes_free)
    with transaction.atomic():
        reserve.reserve(machine_id=on.id, asked=disk)
    assert not room()
    reserve.release(machine_id=on.id, held=disk)
    assert room()


def test_what_a_machine_says_that_it_has_moves_it() -> None:
    on = offered(cpus=2)
    placement(on, cpus=2)
    assert not room()
    describe.describe(machine_id=on.id, hardware=hardware(cpus=3))
    assert room()
    describe.describe(machine_id=on.id, hardware=hardware(cpus=1))
    assert not room()


def test_what_its_host_rents_at_least_moves_it() -> None:
    on = offered(cpus=4)
    placement(on, cpus=2)
    mine = {"host_id": on.host_id, "machine_id": on.id, "now": NOW}
    assert not set_terms(cpus_min=3, **mine).has_room
    assert set_terms(cpus_min=2, **mine).has_room
    assert room()


def test_a_machine_that_was_full_before_it_had_an_offer_is_full_in_it() -> None:
    on = machine()
    placement(on, cpus=on.cpus_total)
    list_offer(machine_id=on.id, now=NOW)
    assert not room()


def test_the_column_is_filled_for_what_was_there_before_it() -> None:
    full, other = offered(cpus=1), offered()
    placement(full, cpus=1)
    Offer.objects.update(has_room=True)
    # Not entered: within a test's transaction SQLite lets none alter a table, and none is.
    editor = connection.SchemaEditorClass(connection, atomic=False)
    filled.drop(apps, editor)
    filled.keep(apps, editor)
    assert untrue() == []
    assert dict(Offer.objects.values_list("machine_id", "has_room")) == {
        full.id: False,
        other.id: True,
    }


def test_what_moves_while_the_site_is_migrated_is_true_after_it() -> None:
    taken, given = offered(cpus=1), offered(cpus=1)
    held = placement(given, cpus=1)
    kept.forget(using="default")
    placement(taken, cpus=1)
    apply(placement=held, event=Event.STOP, now=NOW)
    apply(placement=held, event=Event.STOPPED, now=NOW)
    kept.remember(using="default")
    assert untrue() == []
    assert dict(Offer.objects.values_list("machine_id", "has_room")) == {
        taken.id: False,
        given.id: True,
    }
    apply(placement=placement(given, cpus=1), event=Event.STOP, now=NOW)
    assert untrue() == []
