from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from django.db import connection

from marketplace.domain.door import JITTER_S, LOOK_S, MISSES_MAX
from marketplace.machines.models import Machine
from marketplace.placements.actions import look_again as module
from marketplace.placements.actions.extend_funding import extend_funding
from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door
from protocol.agent import ObservedState
from tests.marketplace.scene import HOST_KEY, after, machine, placement, seen, user

pytestmark = pytest.mark.django_db


@dataclass
class Outside:
    """Answers for the network: the doors of these placements stay shut."""

    shut: set[UUID] = field(default_factory=set)
    looked_at: list[UUID] = field(default_factory=list)

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        found = [door.placement_id for door in doors]
        self.looked_at += found
        return {one: timedelta(seconds=1) for one in found if one not in self.shut}


def running(*, host: str = "host@example.org") -> Placement:
    """Return a placement whose door was seen at second 2; its machine's host has others too."""
    on = machine(host=user(host))
    it = placement(on)
    told = seen(it.id, ObservedState.RUNNING, ssh_port=20001, ssh_host_key=HOST_KEY)
    observe(machine_id=on.id, observed=[told], now=after(1))
    prove_reachable(now=after(1), probe=Outside())
    it.refresh_from_db()
    return it


def look(second: float, outside: Outside, *, in_touch: bool = True) -> int:
    """Look at every door that was seen before."""
    Machine.objects.update(last_seen_at=after(second if in_touch else second - 61))
    Placement.objects.filter(look_due_at__isnull=False).update(look_due_at=after(second))
    return look_again(now=after(second), probe=outside, chance=Random(1))


def test_a_door_is_looked_at_again_and_again_about_every_minute() -> None:
    it = running()
    outside = Outside()
    assert look_again(now=after(1), probe=outside, chance=Random(1)) == 0
    assert look_again(now=after(2), probe=outside, chance=Random(1)) == 1
    it.refresh_from_db()
    assert (it.door_open_since, it.door_seen_at) == (after(2), after(3))
    assert it.look_due_at is not None
    assert after(2 + LOOK_S - JITTER_S) <= it.look_due_at <= after(2 + LOOK_S + JITTER_S)
    assert look_again(now=after(40), probe=outside, chance=Random(1)) == 0
    assert look_again(now=after(80), probe=outside, chance=Random(1)) == 1


def test_a_door_that_stays_shut_is_lost_and_nobody_can_tell_by_whom() -> None:
    it = running()
    outside = Outside(shut={it.id})
    for number in range(1, MISSES_MAX):
        look(60 * number, outside)
        it.refresh_from_db()
        assert (it.state, it.door_missed_at) == ("running", after(60))
        assert it.door is not None
        assert it.door.misses == number
    look(60 * MISSES_MAX, outside)
    it.refresh_from_db()
    assert (it.state, it.blame, it.reason_code) == ("stopping", "", "door_lost")
    assert it.reason == (
        "Its SSH door could not be reached from outside often enough."
        " It is stopped and its files are kept; start it again."
    )
    assert (it.want, it.stop_requested_at) == ("stop", after(60 * MISSES_MAX))


def test_one_good_look_counts_anew_yet_forgives_no_miss() -> None:
    it = running()
    for number in range(1, MISSES_MAX):
        look(60 * number, Outside(shut={it.id}))
    look(400, Outside())
    it.refresh_from_db()
    assert (it.state, it.door_missed_at) == ("running", None)
    assert it.door_open_since == it.door_seen_at == after(401)
    look(460, Outside(shut={it.id}))
    it.refresh_from_db()
    assert (it.state, it.reason_code) == ("stopping", "door_lost")


def test_a_machine_that_is_cut_off_altogether_keeps_its_renters_work() -> None:
    it = running()
    for number in range(1, 20):
        look(60 * number, Outside(shut={it.id}), in_touch=False)
    it.refresh_from_db()
    assert (it.state, it.door_looks, it.door_missed_at) == ("running", 0, after(60))
    # It is back, yet its ports take a moment longer.
    look(1300, Outside(shut={it.id}))
    it.refresh_from_db()
    assert (it.state, it.door_looks) == ("running", 1)


def test_when_no_door_anywhere_answers_nothing_ends_and_nothing_counts() -> None:
    mine, others = running(), running(host="other@example.org")
    outside = Outside(shut={mine.id, others.id})
    for number in range(1, 20):
        Placement.objects.filter(id=mine.id).update(look_due_at=after(60 * number))
        Placement.objects.filter(id=others.id).update(look_due_at=after(10_000))
        assert look_again(now=after(60 * number), probe=outside, chance=Random(1)) == 0
    mine.refresh_from_db()
    assert (mine.state, mine.door_looks, mine.door_missed_at) == ("running", 0, after(60))
    assert outside.looked_at.count(others.id) == 19


def test_when_another_hosts_door_answers_it_is_a_miss() -> None:
    mine, others = running(), running(host="other@example.org")
    Placement.objects.filter(id=others.id).update(look_due_at=after(10_000))
    Placement.objects.filter(id=mine.id).update(look_due_at=after(60))
    look_again(now=after(60), probe=Outside(shut={mine.id}), chance=Random(1))
    mine.refresh_from_db()
    assert mine.door_missed_at == after(60)


def test_a_door_of_the_same_host_does_not_speak_for_it() -> None:
    mine, too = running(), running()
    Placement.objects.filter(id=too.id).update(look_due_at=after(10_000))
    Placement.objects.filter(id=mine.id).update(look_due_at=after(60))
    outside = Outside(shut={mine.id, too.id})
    look_again(now=after(60), probe=outside, chance=Random(1))
    mine.refresh_from_db()
    assert mine.door_missed_at == after(60)
    assert outside.looked_at == [mine.id]


def test_what_does_not_run_is_not_looked_at() -> None:
    it = running()
    request_end(placement_id=it.id, reason_code="renter", reason="", now=after(30))
    outside = Outside()
    look(60, outside)
    assert outside.looked_at == []


class Meanwhile(Outside):
    """Lets something happen while the network is used."""

    def __init__(self, it: Placement, act: str) -> None:
        super().__init__(shut={it.id})
        self._it, self._act = it, act

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        if self._act == "stop":
            request_end(placement_id=self._it.id, reason_code="renter", reason="", now=after(600))
        elif self._act == "extend":
            extend_funding(placement_id=self._it.id, funded_until=after(9000), now=after(600))
        else:
            look(610, Outside())
        return super().look(doors)


@pytest.mark.parametrize(
    ("act", "state"), [("stop", "collecting"), ("extend", "running"), ("look", "running")]
)
def test_what_happens_meanwhile_wins_over_the_sixth_miss(act: str, state: str) -> None:
    it = running()
    for number in range(1, MISSES_MAX):
        look(60 * number, Outside(shut={it.id}))
    look(600, Meanwhile(it, act))
    it.refresh_from_db()
    assert it.state == state
    if act == "extend":
        look(660, Outside(shut={it.id}))
        it.refresh_from_db()
        assert (it.state, it.reason_code) == ("stopping", "door_lost")


def test_a_pass_that_was_overtaken_by_a_newer_look_notes_no_miss() -> None:
    it = running()

    class Slow(Outside):
        def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
            look(120, Outside())
            return super().look(doors)

    look(60, Slow(shut={it.id}))
    it.refresh_from_db()
    assert (it.door_seen_at, it.door_missed_at) == (after(121), None)


def test_a_chunk_takes_the_longest_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOORS_MAX", 1)
    late, later = running(), running()
    Placement.objects.filter(id=late.id).update(look_due_at=after(10))
    Placement.objects.filter(id=later.id).update(look_due_at=after(20))
    outside = Outside()
    for _ in range(2):
        look_again(now=after(60), probe=outside, chance=Random(1))
    assert outside.looked_at == [late.id, later.id]


@pytest.mark.parametrize("count", [1, 6])
def test_a_pass_asks_the_database_equally_often_for_one_door_and_for_many(
    count: int, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    for _ in range(count):
        running()
    Placement.objects.update(look_due_at=after(60))
    with django_assert_num_queries(10):
        # What is due, and what it is; and twice, for the claim and what was seen:
        # begin, lock, write, end.
        assert look_again(now=after(60), probe=Outside(), chance=Random(1)) == count


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_doors_are_looked_at() -> None:
    running()

    class LooksAround(Outside):
        def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
            assert not connection.in_atomic_block
            return super().look(doors)

    assert look(60, LooksAround()) == 1
