from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from marketplace.machines.actions.attend import SITE, attend
from marketplace.machines.actions.heartbeat import heartbeat
from marketplace.machines.models import Machine
from marketplace.placements import queries
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Lease, Placement
from marketplace.placements.reachability import Door
from protocol.agent import ObservedState, Want
from tests.marketplace.broken import break_row
from tests.marketplace.scene import (
    HOST_KEY,
    after,
    hardware,
    machine,
    placement,
    seen,
    sync_request,
)

pytestmark = pytest.mark.django_db
O = ObservedState  # noqa: E741


def reported(state: ObservedState | None) -> tuple[Machine, Placement]:
    on = machine(of=hardware(gpus=1))
    it = placement(on, gpus=1, funded_s=600)
    if state is not None:
        observe(machine_id=on.id, observed=[seen(it.id, state)], now=after(0))
    return on, it


def open_door(it: Placement) -> None:
    told = {"ssh_port": 20001, "ssh_host_key": HOST_KEY}
    one = seen(it.id, O.RUNNING, **told)  # type: ignore[arg-type]
    observe(machine_id=it.machine_id, observed=[one], now=after(1))
    assert prove_reachable(now=after(2), probe=EveryDoorOpen()) == 1


class EveryDoorOpen:
    """Answers for the network: each door opens at once."""

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        return {door.placement_id: timedelta(0) for door in doors}


@pytest.mark.parametrize(
    ("state", "deadline_s", "code"),
    [
        (None, 60, "accept_late"),
        (O.ACCEPTED, 60, "prepare_late"),
        (O.PREPARING, 900, "start_late"),
        (O.RUNNING, 300, "door_late"),
    ],
)
def test_what_does_not_go_on_in_time_fails_by_the_machine(
    state: ObservedState | None, deadline_s: int, code: str
) -> None:
    _, it = reported(state)
    assert sweep(now=after(deadline_s)) == 0
    assert sweep(now=after(deadline_s + 1)) == 1
    it.refresh_from_db()
    blame = "" if code == "door_late" else "machine"
    assert (it.state, it.blame, it.reason_code) == ("failed", blame, code)
    assert it.reason.endswith(".")


def test_a_running_placement_is_ended_after_its_funded_time_without_blame() -> None:
    on, it = reported(O.RUNNING)
    open_door(it)
    assert sweep(now=after(720)) == 0
    assert sweep(now=after(721)) == 1
    it.refresh_from_db()
    assert (it.state, it.blame, it.reason_code) == ("collecting", "", "lease_ended")
    assert it.stop_requested_at == after(600)
    observe(machine_id=on.id, observed=[seen(it.id, O.GONE)], now=after(722))
    it.refresh_from_db()
    assert it.state == "released"


def test_a_stop_that_is_never_confirmed_fails_and_keeps_its_reason() -> None:
    _, it = reported(O.RUNNING)
    request_end(placement_id=it.id, reason_code="renter", reason="You did.", now=after(10))
    assert sweep(now=after(311)) == 1
    it.refresh_from_db()
    assert (it.state, it.blame, it.reason_code) == ("failed", "machine", "renter")


def test_a_swept_placement_is_listed_for_its_end_until_the_machine_says_gone() -> None:
    on, it = reported(None)
    sweep(now=after(61))
    assert [wanted.want for wanted in queries.desired(on.id, after(62))] == [Want.END]
    assert Lease.objects.count() == 1
    observe(machine_id=on.id, observed=[seen(it.id, O.RUNNING)], now=after(63))
    assert Lease.objects.count() == 1
    observe(machine_id=on.id, observed=[seen(it.id, O.GONE)], now=after(64))
    on.refresh_from_db()
    assert queries.desired(on.id, after(65)) == ()
    assert (Lease.objects.count(), on.gpus_free, on.cpus_free) == (0, 1, 4)
    it.refresh_from_db()
    assert (it.state, it.gone_at, it.freed_at) == ("failed", after(64), after(64))


def test_a_silent_machine_gets_its_slice_back_after_the_quarantine_and_only_once() -> None:
    on, it = reported(None)
    sweep(now=after(61))
    assert sweep(now=after(61 + 3600)) == 0
    assert sweep(now=after(62 + 3600)) == 1
    assert sweep(now=after(63 + 3600)) == 0
    assert [wanted.want for wanted in queries.desired(on.id, after(5000))] == [Want.END]
    observe(machine_id=on.id, observed=[seen(it.id, O.GONE)], now=after(5000))
    on.refresh_from_db()
    assert (Lease.objects.count(), on.gpus_free, on.cpus_free) == (0, 1, 4)


def test_the_quarantine_lasts_as_long_as_a_cut_off_machine_may_keep_it_running() -> None:
    on = machine()
    it = placement(on, funded_s=10_000)
    sweep(now=after(61))
    assert sweep(now=after(9_999)) == 0
    assert sweep(now=after(10_001)) == 1
    it.refresh_from_db()
    assert it.freed_at == after(10_001)


def test_a_machine_that_says_it_still_has_it_keeps_its_gpu_until_it_says_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    on, it = reported(O.RUNNING)
    request_end(placement_id=it.id, reason_code="renter", reason="You did.", now=after(10))
    for second in range(20, 5000, 20):
        heartbeat(machine_id=on.id, request=sync_request(), sent_at_ms=second, now=after(second))
        observe(machine_id=on.id, observed=[seen(it.id, O.COLLECTING)], now=after(second))
        sweep(now=after(second))
    on.refresh_from_db()
    assert (Lease.objects.count(), on.gpus_free) == (1, 0)
    told = [each for each in caplog.records if each.message == "Not let go by its machine"]
    assert len(told) == 1
    observe(machine_id=on.id, observed=[seen(it.id, O.GONE)], now=after(5000))
    assert Lease.objects.count() == 0


def test_a_machine_that_came_back_in_quarantine_starts_it_anew() -> None:
    on, it = reported(None)
    sweep(now=after(61))
    heartbeat(machine_id=on.id, request=sync_request(), sent_at_ms=3000, now=after(3000))
    assert sweep(now=after(3000 + 3600)) == 0
    assert sweep(now=after(3001 + 3600)) == 1
    it.refresh_from_db()
    assert it.freed_at == after(6601)


def test_what_cannot_be_ended_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    on = machine()
    broken, sound = placement(on), placement(on)
    break_row(broken)
    assert sweep(now=after(61)) == 1
    sound.refresh_from_db()
    assert (sound.state, sound.reason_code) == ("failed", "accept_late")
    assert "Placement not swept" in caplog.messages


def test_what_cannot_be_freed_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    on = machine()
    broken, sound = placement(on, funded_s=60), placement(on, funded_s=60)
    sweep(now=after(61))
    break_row(broken)
    assert sweep(now=after(62 + 3600)) == 1
    sound.refresh_from_db()
    assert sound.freed_at is not None
    assert "Placement not freed" in caplog.messages


@pytest.mark.parametrize(
    ("state", "deadline_s"),
    [(None, 60), (O.ACCEPTED, 60), (O.PREPARING, 900), (O.RUNNING, 300)],
)
def test_nothing_is_late_by_the_marketplaces_own_absence(
    state: ObservedState | None, deadline_s: int
) -> None:
    _, it = reported(state)
    sweep(now=after(deadline_s - 5))
    # Away for two minutes, while the machine could reach nobody.
    assert sweep(now=after(deadline_s + 115)) == 0
    assert sweep(now=after(deadline_s + 116)) == 1
    it.refresh_from_db()
    assert (it.state, it.blame) == ("failed", "" if state is O.RUNNING else "machine")


def test_an_unconfirmed_end_is_put_off_by_the_marketplaces_absence_too() -> None:
    on, it = reported(O.RUNNING)
    request_end(placement_id=it.id, reason_code="renter", reason="You did.", now=after(10))
    sweep(now=after(20))
    assert sweep(now=after(400)) == 0
    observe(machine_id=on.id, observed=[seen(it.id, O.GONE)], now=after(401))
    it.refresh_from_db()
    assert (it.state, it.blame) == ("released", "")


def test_the_marketplaces_absence_prolongs_no_paid_time() -> None:
    _, it = reported(O.RUNNING)
    open_door(it)
    sweep(now=after(500))
    assert sweep(now=after(721)) == 1
    it.refresh_from_db()
    assert (it.state, it.stop_requested_at) == ("collecting", after(600))


def test_nothing_is_late_while_no_machine_can_reach_the_site() -> None:
    _, it = reported(None)
    attend(name=SITE, now=after(0))
    sweep(now=after(5))
    for second in range(25, 200, 5):
        assert sweep(now=after(second)) == 0
    attend(name=SITE, now=after(200))
    assert sweep(now=after(201)) == 0
    it.refresh_from_db()
    assert (it.state, it.deadline_at) == ("offered", after(60 + 191))


def test_a_sweep_that_comes_too_seldom_still_ends_what_is_late() -> None:
    _, it = reported(None)
    for second in range(0, 600, 30):
        sweep(now=after(second))
    it.refresh_from_db()
    assert (it.state, it.reason_code) == ("failed", "accept_late")
