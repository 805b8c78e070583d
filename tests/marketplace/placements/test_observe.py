from collections.abc import Sequence

import pytest

from marketplace.machines.models import Machine
from marketplace.placements import queries
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Lease, Placement, PlacementEvent
from protocol.agent import ObservedPlacement, ObservedState, Want
from protocol.workload import PlacementKind
from tests.marketplace.scene import HOST_KEY, NOW, after, hardware, machine, placement, seen

pytestmark = pytest.mark.django_db
O = ObservedState  # noqa: E741


def report(on: Machine, *observed: ObservedPlacement, at: float = 1) -> None:
    observe(machine_id=on.id, observed=observed, now=after(at))


def states(of: Placement) -> Sequence[str]:
    return list(queries.events(of.id).values_list("new_state", flat=True))


def is_whole(on: Machine) -> bool:
    on.refresh_from_db()
    return (
        on.cpus_free == on.cpus_total
        and on.memory_bytes_free == on.memory_bytes_total
        and on.disk_bytes_free == on.disk_bytes_total
        and on.gpus_free == on.gpus_total
        and not Lease.objects.filter(machine=on).exists()
    )


def test_a_placement_runs_as_its_machine_reports() -> None:
    on = machine()
    it = placement(on)
    report(on, seen(it.id, O.ACCEPTED), at=1)
    report(on, seen(it.id, O.PREPARING, progress="pulling 43 %"), at=2)
    report(on, seen(it.id, O.RUNNING, run=1, ssh_port=20001, ssh_host_key=HOST_KEY), at=3)
    it.refresh_from_db()
    assert states(it) == ["offered", "accepted", "preparing", "running"]
    assert (it.accepted_at, it.running_at) == (after(1), after(3))
    assert (it.ssh_host, it.ssh_port, it.run) == ("127.0.0.1", 20001, 1)


def test_a_start_whose_turn_has_not_come_is_not_late_while_its_machine_is_in_touch() -> None:
    on = machine()
    it = placement(on, funded_s=7200)
    deadlines = {0: 60, 29: 60, 30: 90, 85: 145, 140: 200, 190: 250, 240: 300, 895: 900}
    for second, late in deadlines.items():
        report(on, seen(it.id, O.ACCEPTED), at=second)
        it.refresh_from_db()
        assert it.deadline_at == after(late)


def test_a_word_that_the_one_before_made_old_breaks_nothing() -> None:
    on = machine()
    it, other = placement(on), placement(on)
    report(on, seen(it.id, O.RUNNING), seen(it.id, O.ACCEPTED), seen(other.id, O.RUNNING))
    it.refresh_from_db()
    other.refresh_from_db()
    assert (it.state, other.state) == ("running", "running")


def test_an_image_that_comes_on_for_an_hour_is_the_renters_fault() -> None:
    on = machine()
    it, stuck = placement(on, funded_s=7200), placement(on, funded_s=7200)
    for minute in range(0, 60, 10):
        told = seen(stuck.id, O.PREPARING, progress=f"waiting {minute}")
        report(on, seen(it.id, O.PREPARING, progress=f"pulling {minute} %"), told, at=60 * minute)
    assert sweep(now=after(3600)) == 0
    assert sweep(now=after(3601)) == 2
    it.refresh_from_db()
    stuck.refresh_from_db()
    assert (it.state, it.blame, it.reason_code) == ("failed", "renter", "image_pull_failed")
    assert (stuck.blame, stuck.reason_code) == ("machine", "start_late")


def test_a_start_that_goes_on_is_not_late_but_has_an_hour_at_most() -> None:
    on = machine()
    it = placement(on, funded_s=7200)
    report(on, seen(it.id, O.PREPARING, progress="pulling 1 %"), at=0)
    for minute in range(10, 60, 10):
        report(on, seen(it.id, O.PREPARING, progress=f"pulling {minute} %"), at=60 * minute)
        it.refresh_from_db()
        assert it.deadline_at == after(min(60 * minute + 900, 3600))
    report(on, seen(it.id, O.PREPARING, progress="pulling 50 %"), at=3590)
    it.refresh_from_db()
    assert it.deadline_at == after(3600)


def test_a_start_that_does_not_go_on_is_late_as_before() -> None:
    on = machine()
    it = placement(on)
    for second in (1, 300, 600):
        report(on, seen(it.id, O.PREPARING, progress="pulling 1 %"), at=second)
    it.refresh_from_db()
    assert it.deadline_at == after(901)


@pytest.mark.parametrize(
    "one",
    [
        {"state": O.ACCEPTED},
        {"state": O.PREPARING, "progress": "pulling"},
        {"state": O.RUNNING, "ssh_port": 20001, "run": 1},
        {"state": O.COLLECTING, "problem": "start_failed"},
        {"state": O.GONE, "problem": "no_capacity"},
        {"state": O.GONE, "exit_code": 0},
    ],
)
def test_the_same_report_twice_changes_nothing(one: dict[str, object]) -> None:
    on = machine()
    it = placement(on)
    report(on, seen(it.id, **one), at=1)  # type: ignore[arg-type]
    before = (Placement.objects.values().get(), Machine.objects.values().get())
    report(on, seen(it.id, **one), at=2)  # type: ignore[arg-type]
    assert (Placement.objects.values().get(), Machine.objects.values().get()) == before
    assert PlacementEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("kind", "ended"),
    [
        (PlacementKind.RENTAL, ("failed", "machine", "ended_early")),
        (PlacementKind.JOB, ("released", "", "exited")),
    ],
)
def test_only_a_job_may_end_by_itself(kind: PlacementKind, ended: tuple[str, str, str]) -> None:
    on = machine()
    it = placement(on)
    Placement.objects.filter(id=it.id).update(kind=kind)
    report(on, seen(it.id, O.RUNNING, run=1))
    report(on, seen(it.id, O.GONE, run=1, exit_code=0), at=2)
    it.refresh_from_db()
    assert (it.state, it.blame, it.reason_code) == ended


def test_progress_within_a_state_is_kept_without_an_event() -> None:
    on = machine()
    it = placement(on)
    for percent in (10, 20):
        report(on, seen(it.id, O.PREPARING, progress=f"pulling {percent} %"))
    it.refresh_from_db()
    assert it.progress == "pulling 20 %"
    assert states(it) == ["offered", "preparing"]


def test_a_late_report_never_takes_a_placement_back() -> None:
    on = machine()
    it = placement(on)
    report(on, seen(it.id, O.RUNNING))
    report(on, seen(it.id, O.PREPARING))
    it.refresh_from_db()
    assert it.state == "running"


def test_a_stopped_placement_is_released_and_given_back_once_it_is_gone() -> None:
    on = machine(of=hardware(gpus=1))
    it = placement(on, gpus=1)
    report(on, seen(it.id, O.RUNNING))
    request_end(placement_id=it.id, reason_code="renter", reason="You ended it.", now=after(5))
    assert not is_whole(on)
    report(on, seen(it.id, O.COLLECTING), at=6)
    report(on, seen(it.id, O.GONE), at=7)
    it.refresh_from_db()
    assert (it.state, it.reason_code, it.blame, it.ended_at) == (
        "released",
        "renter",
        "",
        after(7),
    )
    assert is_whole(on)
    assert queries.desired(on.id, after(8)) == ()


def test_a_problem_while_it_is_offered_refuses_it() -> None:
    on = machine()
    it = placement(on)
    report(on, seen(it.id, O.GONE, problem="no_capacity"))
    it.refresh_from_db()
    assert (it.state, it.blame, it.reason) == ("refused", "machine", "It said no_capacity.")
    assert is_whole(on)


@pytest.mark.parametrize(
    ("code", "blame"), [("image_pull_failed", "renter"), ("docker_unavailable", "machine")]
)
def test_a_problem_later_fails_it_and_says_who_is_at_fault(code: str, blame: str) -> None:
    on = machine()
    it = placement(on)
    report(on, seen(it.id, O.PREPARING))
    report(on, seen(it.id, O.GONE, problem=code))
    it.refresh_from_db()
    assert (it.state, it.blame, it.reason_code) == ("failed", blame, code)
    assert is_whole(on)


def test_a_failed_placement_holds_its_slice_until_the_machine_has_cleaned_it() -> None:
    on = machine(of=hardware(gpus=1))
    it = placement(on, gpus=1)
    report(on, seen(it.id, O.PREPARING))
    report(on, seen(it.id, O.COLLECTING, problem="start_failed"))
    assert not is_whole(on)
    assert [wanted.want for wanted in queries.desired(on.id, NOW)] == [Want.END]
    report(on, seen(it.id, O.GONE, problem="start_failed"), at=9)
    it.refresh_from_db()
    assert (it.state, it.ended_at, it.gone_at) == ("failed", after(1), after(9))
    assert is_whole(on)
    assert queries.desired(on.id, NOW) == ()


def test_a_machine_may_not_move_the_placement_of_another() -> None:
    it = placement(machine())
    report(machine(), seen(it.id, O.RUNNING))
    it.refresh_from_db()
    assert it.state == "offered"


def test_the_revision_rises_exactly_when_what_is_desired_changes() -> None:
    on = machine()
    it = placement(on)
    offered = queries.revision(on.id)
    report(on, seen(it.id, O.RUNNING))
    assert queries.revision(on.id) == offered
    request_end(placement_id=it.id, reason_code="renter", reason="", now=after(5))
    assert queries.revision(on.id) == offered + 1
    report(on, seen(it.id, O.COLLECTING))
    assert queries.revision(on.id) == offered + 1
    report(on, seen(it.id, O.GONE))
    assert queries.revision(on.id) == offered + 2
