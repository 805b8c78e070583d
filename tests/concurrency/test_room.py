"""Whether there is room is true however many take and give back at once, and costs them nothing."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, transaction

from marketplace.domain.matching import Slice
from marketplace.domain.starts import Starts
from marketplace.machines.actions import reserve
from marketplace.machines.models import Machine
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.actions.note_starts import note_starts
from marketplace.offers.actions.refresh import refresh_all
from marketplace.offers.actions.set_terms import set_terms
from marketplace.offers.models import Offer
from tests.concurrency.waiting import until_somebody_waits
from tests.marketplace.room import untrue
from tests.marketplace.scene import NOW, hardware, machine

Race = Callable[[Sequence[Callable[[], object]]], list[object]]
GPU = Slice(cpus=1, memory_bytes=0, disk_bytes=0, gpus=1)
STARTS = (Starts(1000, 2000, came_up=1, failed=0), Starts(None, None, came_up=0, failed=1))


def offered(gpus: int = 2) -> Machine:
    on = machine(of=hardware(cpus=4, gpus=gpus))
    list_offer(machine_id=on.id, now=NOW)
    return on


def take(on: Machine) -> None:
    with transaction.atomic():
        reserve.reserve(machine_id=on.id, asked=GPU)


def give(on: Machine) -> None:
    with transaction.atomic():
        reserve.release(machine_id=on.id, held=GPU)


def test_who_waited_for_what_another_gave_back_says_that_it_is_full_again() -> None:
    on = offered(gpus=2)
    set_terms(host_id=on.host_id, machine_id=on.id, now=NOW, gpus_min=2)
    take(on)
    assert not Offer.objects.get().has_room

    def wait_and_take() -> None:
        try:
            take(on)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # Whoever begins from here on has read that there is no room, and waits with that.
            reserve.release(machine_id=on.id, held=GPU)
            assert Offer.objects.get().has_room
            taking = pool.submit(wait_and_take)
            until_somebody_waits()
        taking.result(60)
    assert not Offer.objects.get().has_room


def test_taking_giving_terms_and_passes_at_once_leave_it_true(race: Race) -> None:
    some = [offered() for _ in range(2)]
    for round_number in range(10):
        calls: list[Callable[[], object]] = [
            partial(refresh_all, now=NOW),
            partial(note_starts, {}),
        ]
        for on in some:
            least = 1 + round_number % 2
            mine = {"host_id": on.host_id, "machine_id": on.id, "now": NOW}
            calls += [
                partial(take, on),
                partial(take, on),
                partial(set_terms, gpus_min=least, **mine),
            ]
        outcomes = race(calls)
        assert not [one for one in outcomes if isinstance(one, Exception)]
        assert untrue() == []
        assert not Offer.objects.filter(has_room=True).exists()
        race([partial(give, on) for on in some for _ in range(2)])
        assert untrue() == []
        assert not Offer.objects.filter(has_room=False).exists()


def test_an_offer_whose_room_stays_is_not_written() -> None:
    on = offered(gpus=3)
    with connection.cursor() as cursor:

        def version() -> object:
            cursor.execute("SELECT ctid, xmin, xmax FROM offers_offer")
            return cursor.fetchone()

        before = version()
        take(on)
        take(on)
        give(on)
        assert version() == before
        take(on)
        assert version() == before
        take(on)
        assert version() != before


@pytest.mark.parametrize("first", [0, 1])
def test_two_syncs_worth_of_offers_and_a_pass_over_them_never_stop_each_other(
    race: Race, first: int
) -> None:
    some = [offered(gpus=1) for _ in range(8)]
    ordered = some if first else some[::-1]

    def give_all() -> None:
        with transaction.atomic():
            list(Machine.objects.select_for_update().order_by("id"))
            for on in ordered:
                reserve.release(machine_id=on.id, held=GPU)

    for round_number in range(5):
        for on in some:
            take(on)
        starts = {on.id: STARTS[round_number % 2] for on in some}
        outcomes = race([give_all, partial(note_starts, starts)])
        assert not [one for one in outcomes if isinstance(one, Exception)]
    assert untrue() == []
