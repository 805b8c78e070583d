from datetime import UTC, datetime, timedelta

import pytest

from marketplace.machines import queries
from marketplace.machines.actions.attend import SITE, attend
from marketplace.machines.actions.heartbeat import heartbeat
from marketplace.machines.actions.mark_offline import mark_offline
from marketplace.machines.models import Machine, UptimeDay
from protocol.agent import Problem
from tests.marketplace.scene import after, hardware, machine, sync_request

pytestmark = pytest.mark.django_db


def beat(on: Machine, at: float, **told: object) -> None:
    sent_at_ms = int(after(at).timestamp() * 1000)
    heartbeat(machine_id=on.id, request=sync_request(**told), sent_at_ms=sent_at_ms, now=after(at))
    on.refresh_from_db()


def test_a_machine_is_there_until_it_was_silent_for_sixty_seconds() -> None:
    on = machine()
    assert on.online
    assert mark_offline(now=after(60)) == 0
    assert mark_offline(now=after(61)) == 1
    assert mark_offline(now=after(62)) == 0
    on.refresh_from_db()
    assert not on.online
    beat(on, 70)
    assert on.online


def test_no_machine_goes_offline_before_it_could_be_heard_again() -> None:
    on = machine()
    assert mark_offline(now=after(5)) == 0
    # The marketplace itself was away until now.
    assert mark_offline(now=after(125)) == 0
    for second in range(130, 185, 5):
        assert mark_offline(now=after(second)) == 0
    assert mark_offline(now=after(185)) == 1
    on.refresh_from_db()
    assert not on.online


def test_no_machine_goes_offline_while_it_cannot_reach_the_site() -> None:
    machine()
    attend(name=SITE, now=after(0))
    assert mark_offline(now=after(61)) == 0
    attend(name=SITE, now=after(61))
    assert mark_offline(now=after(62)) == 1


def test_a_machine_that_names_a_problem_is_not_for_rent_and_gains_no_uptime() -> None:
    on = machine()
    problem = Problem(code="docker_unavailable", message="Docker does not answer.")
    beat(on, 30)
    beat(on, 60, problem=problem)
    assert (on.online, on.problem) == (False, "Docker does not answer.")
    beat(on, 120, problem=problem)
    beat(on, 180)
    assert (on.online, on.problem) == (True, "")
    beat(on, 240)
    assert UptimeDay.objects.get().up_ms == (30 + 30 + 60) * 1000


def test_a_sync_may_bring_new_hardware() -> None:
    on = machine()
    beat(on, 10, hardware=hardware(cpus=32))
    assert (on.cpus_total, on.cpus_free) == (32, 32)


def test_time_there_is_counted_and_silence_is_not() -> None:
    on = machine()
    for second in (30, 60, 90, 120):
        beat(on, second)
    mark_offline(now=after(300))
    beat(on, 400)
    beat(on, 480)
    assert UptimeDay.objects.get().up_ms == (120 + 80) * 1000
    assert queries.uptime_ppm(on.id, now=after(800)) == 250_000


def test_a_machine_that_is_always_there_has_full_uptime() -> None:
    on = machine()
    for minute in range(1, 11):
        beat(on, minute * 60)
    assert queries.uptime_ppm(on.id, now=after(600)) == 1_000_000


@pytest.mark.parametrize("minute", [0, 1, 719, 1439])
def test_a_day_offline_costs_a_day_of_thirty_at_any_time_of_the_day(minute: int) -> None:
    on = machine()
    midnight = datetime(2026, 4, 15, tzinfo=UTC)
    now = midnight + timedelta(minutes=minute)
    Machine.objects.update(last_seen_at=now, uptime_counted_at=midnight)
    UptimeDay.objects.bulk_create(
        UptimeDay(machine=on, day=(midnight - timedelta(days=ago)).date(), up_ms=86_400_000)
        for ago in range(1, 32)
        if ago != 5
    )
    window_minutes = 29 * 1440 + minute
    expected = (window_minutes - 1440) * 1_000_000 // window_minutes
    assert queries.uptime_ppm(on.id, now=now) == expected


def test_a_new_machine_has_no_uptime_yet() -> None:
    on = machine()
    assert queries.uptime_ppm(on.id, now=after(0)) == 0


def test_hosts_see_their_own_machines_only() -> None:
    on = machine()
    assert list(queries.of_host(on.host_id)) == [on]
    assert list(queries.of_host(on.host_id + 1)) == []


def test_revisions_of_several_machines_are_read_at_once() -> None:
    one, two = machine(), machine()
    assert queries.newest_revisions([one.id, two.id]) == {one.id: 1, two.id: 1}
