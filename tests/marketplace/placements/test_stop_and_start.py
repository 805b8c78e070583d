"""A stop keeps the disk and gives back everything else; a start takes what is free then."""

import pytest

from marketplace.domain.matching import ExceedsMachine, MachineOffline, OfferTaken
from marketplace.machines.models import Machine
from marketplace.placements import queries
from marketplace.placements.actions.extend_funding import PlacementEnding, extend_funding
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.request_stop import request_stop
from marketplace.placements.actions.start import StillStopping, start
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Lease, Placement, PlacementEvent
from protocol.agent import ObservedState, Want
from tests.marketplace.scene import after, hardware, machine, placement, seen

pytestmark = pytest.mark.django_db


def stop(it: Placement, *, at: float = 10) -> Placement:
    return request_stop(
        placement_id=it.id, reason_code="renter_stopped", reason="You stopped it.", now=after(at)
    )


def stopped(on: Machine, *, gpus: int = 0, funded_s: int = 3600) -> Placement:
    """Return a placement that ran and stopped."""
    it = placement(on, gpus=gpus, cpus=2, funded_s=funded_s)
    observe(machine_id=on.id, observed=[seen(it.id, ObservedState.RUNNING)], now=after(1))
    stop(it)
    observe(machine_id=on.id, observed=[seen(it.id, ObservedState.STOPPED)], now=after(12))
    it.refresh_from_db()
    assert it.state == "stopped"
    return it


def free(on: Machine) -> tuple[int, int, int, int]:
    on.refresh_from_db()
    taken = (on.total.disk_bytes - on.free.disk_bytes) >> 30
    return on.cpus_free, on.memory_bytes_free >> 30, taken, on.gpus_free


def test_what_stops_keeps_its_gpus_until_its_machine_says_that_nothing_runs() -> None:
    on = machine(of=hardware(gpus=2))
    it = placement(on, gpus=2, cpus=2)
    observe(machine_id=on.id, observed=[seen(it.id, ObservedState.RUNNING)], now=after(1))
    assert stop(it).state == "stopping"
    (desired,) = queries.desired(on.id, after(10))
    assert (desired.want, desired.run_for_ms, len(desired.gpu_uuids)) == (Want.STOP, 3_590_000, 2)
    assert free(on) == (2, 7, 2, 0)
    observe(machine_id=on.id, observed=[seen(it.id, ObservedState.RUNNING)], now=after(11))
    assert free(on) == (2, 7, 2, 0)
    for _ in range(2):
        observe(machine_id=on.id, observed=[seen(it.id, ObservedState.STOPPED)], now=after(12))
    assert free(on) == (4, 8, 2, 2)
    assert not Lease.objects.exists()
    (desired,) = queries.desired(on.id, after(12))
    assert (desired.want, desired.gpu_uuids) == (Want.STOP, ())


def test_a_start_takes_other_gpus_where_somebody_else_has_the_first() -> None:
    on = machine(of=hardware(cpus=8, gpus=2))
    it = stopped(on, gpus=1)
    assert it.gpu_uuids == ["GPU-0"]
    placement(on, gpus=1)
    again = start(placement_id=it.id, now=after(20))
    assert (again.state, again.want, again.gpu_uuids) == ("offered", "run", ["GPU-1"])
    assert (again.stop_requested_at, again.reachable_at, again.running_at) == (None, None, None)
    assert (again.reason_code, again.starts) == ("", 1)
    # 2 GiB of disk each, of which the stop gave back nothing.
    assert free(on) == (5, 6, 4, 0)
    assert start(placement_id=it.id, now=after(21)).starts == 1


def test_a_start_is_refused_where_others_have_what_it_needs() -> None:
    on = machine(of=hardware(gpus=1))
    it = stopped(on, gpus=1)
    placement(on, gpus=1)
    with pytest.raises(OfferTaken):
        start(placement_id=it.id, now=after(20))
    it.refresh_from_db()
    assert (it.state, it.holds_compute, Lease.objects.count()) == ("stopped", False, 1)


def test_a_start_is_refused_where_the_machine_is_silent_or_has_shrunk() -> None:
    on = machine()
    it = stopped(on)
    Machine.objects.update(cpus_total=1, cpus_free=1)
    with pytest.raises(ExceedsMachine):
        start(placement_id=it.id, now=after(20))
    Machine.objects.update(online=False)
    with pytest.raises(MachineOffline):
        start(placement_id=it.id, now=after(20))


def test_a_start_waits_for_the_stop_and_never_revives_what_ends() -> None:
    on = machine()
    it = placement(on)
    assert start(placement_id=it.id, now=after(1)).starts == 0
    stop(it)
    with pytest.raises(StillStopping):
        start(placement_id=it.id, now=after(11))
    request_end(placement_id=it.id, reason_code="renter_ended", reason="", now=after(12))
    with pytest.raises(PlacementEnding):
        start(placement_id=it.id, now=after(13))
    late = stopped(on)
    with pytest.raises(PlacementEnding):
        start(placement_id=late.id, now=after(3600))


def test_what_is_stopped_ends_with_its_paid_time_and_gives_its_disk_back_once() -> None:
    on = machine(of=hardware(gpus=1))
    it = stopped(on, gpus=1)
    extend_funding(placement_id=it.id, funded_until=after(4000), now=after(20))
    assert sweep(now=after(4100)) == 0
    assert sweep(now=after(4121)) == 1
    it.refresh_from_db()
    assert (it.state, it.want, it.reason_code) == ("collecting", "end", "lease_ended")
    assert it.stop_requested_at == after(10)
    for _ in range(2):
        observe(machine_id=on.id, observed=[seen(it.id, ObservedState.GONE)], now=after(4130))
    assert free(on) == (4, 8, 0, 1)


def test_a_stopped_one_that_its_machine_lost_failed() -> None:
    on = machine()
    it = stopped(on)
    lost = seen(it.id, ObservedState.GONE, problem="disk_lost")
    observe(machine_id=on.id, observed=[lost], now=after(20))
    it.refresh_from_db()
    assert (it.state, it.blame, free(on)) == ("failed", "machine", (4, 8, 0, 0))


def test_an_end_after_a_stop_bills_no_second_more() -> None:
    it = stopped(machine())
    ended = request_end(placement_id=it.id, reason_code="renter_ended", reason="", now=after(99))
    assert (ended.state, ended.stop_requested_at) == ("collecting", after(10))


@pytest.mark.parametrize(
    ("state", "seconds", "code"),
    [(None, 61, "accept_late"), (ObservedState.RUNNING, 301, "door_late")],
)
def test_a_start_that_comes_to_nothing_costs_no_files(
    state: ObservedState | None, seconds: int, code: str
) -> None:
    on = machine()
    it = stopped(on)
    start(placement_id=it.id, now=after(20))
    if state is not None:
        observe(machine_id=on.id, observed=[seen(it.id, state)], now=after(20))
    sweep(now=after(20))
    sweep(now=after(25))
    for second in range(30, 31 + seconds, 5):
        sweep(now=after(second))
    it.refresh_from_db()
    assert (it.state, it.want, it.reason_code, it.blame) == ("stopping", "stop", code, "")
    assert it.reason.endswith("It is stopped and its files are kept; start it again.")
    assert PlacementEvent.objects.filter(reason_code=code).count() == 1


@pytest.mark.parametrize("state", [None, ObservedState.PREPARING, ObservedState.RUNNING])
def test_what_its_machine_cannot_run_any_more_is_stopped_and_keeps_its_files(
    state: ObservedState | None,
) -> None:
    on = machine()
    it = placement(on)
    if state is not None:
        observe(machine_id=on.id, observed=[seen(it.id, state)], now=after(1))
    given_up = [seen(it.id, ObservedState.STOPPED, problem="start_failed")]
    observe(machine_id=on.id, observed=given_up, now=after(20))
    it.refresh_from_db()
    assert (it.state, it.want, it.reason_code, it.blame) == ("stopping", "stop", "start_failed", "")
    assert it.reason.endswith("It is stopped and its files are kept; start it again.")
    assert it.stop_requested_at == after(20)
    observe(machine_id=on.id, observed=given_up, now=after(21))
    it.refresh_from_db()
    assert (it.state, it.reason_code, free(on)) == ("stopped", "start_failed", (4, 8, 2, 0))


def test_what_its_machine_stops_by_itself_is_paid_to_the_newest_good_look() -> None:
    on = machine()
    it = placement(on)
    observe(machine_id=on.id, observed=[seen(it.id, ObservedState.RUNNING)], now=after(1))
    looked = {"door_open_since": after(2), "door_seen_at": after(60), "reachable_at": after(2)}
    Placement.objects.filter(id=it.id).update(**looked)
    given_up = [seen(it.id, ObservedState.STOPPED, problem="start_failed")]
    observe(machine_id=on.id, observed=given_up, now=after(100))
    it.refresh_from_db()
    assert it.stop_requested_at == after(60)


def test_a_report_from_before_the_newest_start_stops_nothing() -> None:
    on = machine()
    it = stopped(on)
    on.refresh_from_db()
    heard = on.desired_revision
    start(placement_id=it.id, now=after(20))
    given_up = [seen(it.id, ObservedState.STOPPED, problem="start_failed")]
    observe(machine_id=on.id, observed=given_up, now=after(21), revision=heard)
    it.refresh_from_db()
    assert (it.state, it.reason_code) == ("offered", "")
    observe(machine_id=on.id, observed=given_up, now=after(22), revision=heard + 1)
    it.refresh_from_db()
    assert (it.state, it.reason_code) == ("stopping", "start_failed")


def test_a_report_from_before_the_newest_stop_frees_nothing() -> None:
    on = machine()
    it = stopped(on)
    start(placement_id=it.id, now=after(20))
    on.refresh_from_db()
    heard = on.desired_revision
    stop(it, at=21)
    # It said so before it heard of this stop, and may have started it since.
    old = [seen(it.id, ObservedState.STOPPED)]
    observe(machine_id=on.id, observed=old, now=after(22), revision=heard)
    it.refresh_from_db()
    assert (it.state, it.holds_compute) == ("stopping", True)
    observe(machine_id=on.id, observed=old, now=after(23), revision=heard + 1)
    it.refresh_from_db()
    assert (it.state, it.holds_compute) == ("stopped", False)


def test_a_stop_that_comes_before_it_runs_keeps_what_there_is_of_it() -> None:
    on = machine()
    for state in (None, ObservedState.ACCEPTED, ObservedState.PREPARING):
        it = placement(on)
        if state is not None:
            observe(machine_id=on.id, observed=[seen(it.id, state)], now=after(1))
        assert stop(it).state == "stopping"
        request_end(placement_id=it.id, reason_code="", reason="", now=after(11))
        assert stop(it).state == "collecting"
        observe(machine_id=on.id, observed=[seen(it.id, ObservedState.GONE)], now=after(12))
    assert free(on) == (4, 8, 0, 0)
