"""How quickly and how surely rentals begin is counted, and shown on the offer."""

from datetime import timedelta

import pytest
from django.db.models import F

from marketplace.domain.placement import Blame
from marketplace.domain.starts import ALL, Starts
from marketplace.machines.models import Machine
from marketplace.offers import kind_starts
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.models import UNMEASURED, Offer
from marketplace.placements.models import Placement
from marketplace.rentals.actions.count_starts import LATELY, count_starts
from tests.marketplace.scene import NOW, after, machine, placement

pytestmark = pytest.mark.django_db
NOTHING = (UNMEASURED, UNMEASURED, 0, 0)


def offered() -> Machine:
    on = machine()
    list_offer(machine_id=on.id, now=NOW)
    return on


def shown(on: Machine) -> tuple[int, ...]:
    columns = ("start_p50_ms", "start_p95_ms", "starts", "starts_failed")
    return Offer.objects.values_list(*columns).get(machine=on)


def began(on: Machine, wait_ms: int, **changed: object) -> None:
    one = placement(on)
    reached = F("created_at") + timedelta(milliseconds=wait_ms)
    Placement.objects.filter(id=one.id).update(**{"reachable_at": reached} | changed)


def test_what_came_up_gives_the_times_and_what_did_not_the_rate() -> None:
    on, other = offered(), offered()
    began(on, 900)
    began(on, 1500)
    began(
        on,
        0,
        reachable_at=None,
        ended_at=NOW,
        deadline_at=None,
        state="failed",
        blame=Blame.MACHINE,
    )
    assert count_starts(now=after(60)) == 1
    assert shown(on) == (900, 1500, 2, 1)
    assert shown(other) == NOTHING
    assert count_starts(now=after(60)) == 0


def test_what_says_nothing_of_the_machine_is_not_counted() -> None:
    on = offered()
    placement(on)
    began(
        on, 0, reachable_at=None, ended_at=NOW, deadline_at=None, state="ended", blame=Blame.RENTER
    )
    began(on, 700, bid_hour_microusd=5000)
    began(on, 700, kind="job")
    assert count_starts(now=after(60)) == 0
    assert shown(on) == NOTHING


def test_who_stops_a_rental_and_starts_it_much_later_makes_no_machine_look_slow() -> None:
    on = offered()
    began(on, 900)
    began(on, 86_400_000, starts=1)
    assert count_starts(now=after(60)) == 1
    assert shown(on) == (900, 900, 1, 0)


def test_what_began_long_ago_is_forgotten() -> None:
    on = offered()
    began(on, 900)
    assert count_starts(now=after(60)) == 1
    assert count_starts(now=NOW + LATELY) == 1
    assert shown(on) == NOTHING


def test_a_gpu_that_is_called_as_all_together_counts_once_among_them() -> None:
    on = offered()
    Machine.objects.filter(id=on.id).update(gpu_model=ALL)
    began(on, 900)
    count_starts(now=after(60))
    assert kind_starts.by_kind() == {ALL: Starts(900, 900, came_up=1, failed=0)}


def test_kinds_and_all_together_are_counted_for_machines_of_which_little_is_known() -> None:
    one, other, plain = offered(), offered(), offered()
    Machine.objects.filter(pk__in=(one.pk, other.pk)).update(gpu_model="RTX 4090")
    Machine.objects.filter(pk=plain.pk).update(gpu_model="")
    for on, wait_ms in ((one, 100), (other, 300), (other, 500), (plain, 900)):
        began(on, wait_ms)
    count_starts(now=after(60))
    told = kind_starts.by_kind()
    assert told == {
        "RTX 4090": Starts(300, 500, came_up=3, failed=0),
        "": Starts(900, 900, came_up=1, failed=0),
        ALL: Starts(300, 900, came_up=4, failed=0),
    }
    count_starts(now=after(60))
    assert kind_starts.by_kind() == told
    count_starts(now=NOW + LATELY + timedelta(days=1))
    assert kind_starts.by_kind() == {}
