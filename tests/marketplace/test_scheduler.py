"""The scheduler runs lanes beside each other, no pass beside itself, and survives a broken one."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from marketplace import passes, scheduler
from marketplace.celery_app import app, run_pass
from marketplace.schedule import PASSES, Pass
from marketplace.scheduler import Scheduler

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


#: the scheduler closes its connections, which a transaction around a test would not survive
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_locks(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def play(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., object]) -> None:
    monkeypatch.setattr(passes, "import_string", functions.__getitem__)


def test_a_pass_that_waits_for_the_network_holds_up_no_other_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charged, stopped = threading.Event(), threading.Event()

    def look(*, now: datetime) -> None:
        # It ends only because the other lane goes on meanwhile.
        assert charged.wait(30)
        stopped.set()

    play(monkeypatch, look=look, charge=lambda now: charged.set())
    both = (Pass("look", "look", 1, 60, lane="look"), Pass("charge", "charge", 1, 60))
    scheduler.run_forever(lambda seconds: stopped.wait(30), both)
    assert stopped.is_set()


def test_a_pass_that_breaks_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def break_down(*, now: datetime) -> None:
        raise ValueError

    play(monkeypatch, one=break_down, two=lambda now: ran.append(now))
    both = [Pass("one", "one", 5, 60), Pass("two", "two", 5, 60)]
    Scheduler(both, clock=lambda: 0.0).step(now=NOW)
    assert ran == [NOW]


def test_a_pass_comes_again_after_its_period(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    play(monkeypatch, one=lambda now: ran.append(now))
    time = [0.0]
    one = Scheduler([Pass("one", "one", 5, 60)], clock=lambda: time[0])
    for moment in (0.0, 4.0, 5.0, 9.0, 10.0):
        time[0] = moment
        left_s = one.step(now=NOW)
    assert (len(ran), left_s) == (3, 5.0)


def test_a_lane_opens_a_file_of_a_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def ask(*, now: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        found.append(connection.connection)

    play(monkeypatch, one=ask, two=ask)
    one = Scheduler([Pass("one", "one", 5, 60), Pass("two", "two", 5, 60)], clock=lambda: 0.0)
    one.step(now=NOW)
    assert connection.vendor != "sqlite" or found[0] is found[1]


def test_what_waits_for_the_network_has_a_lane_of_its_own() -> None:
    lanes = {entry.name: entry.lane for entry in PASSES}
    assert lanes["charge"] == lanes["expire"] == lanes["sweep"]
    assert len({lanes["look"], lanes["reach"], lanes["charge"]}) == 3


def test_what_works_for_long_holds_up_nothing_that_costs_money() -> None:
    lanes = {entry.name: entry.lane for entry in PASSES}
    assert "charge" not in {name for name, lane in lanes.items() if lane == lanes["epochs"]}


def test_a_pass_never_runs_beside_itself_in_whatever_process(
    monkeypatch: pytest.MonkeyPatch, at_once: Callable[..., list[object]]
) -> None:
    ran = []
    both_tried = threading.Barrier(2)

    def slow(*, now: datetime) -> None:
        ran.append(now)
        both_tried.wait(30)

    play(monkeypatch, slow=slow)
    entry = Pass("slow", "slow", 1, 60)

    def run() -> bool:
        mine = passes.run(entry, now=NOW)
        if not mine:
            both_tried.wait(30)
        return mine

    assert sorted(at_once([run, run]), key=bool) == [False, True]
    assert len(ran) == 1
    play(monkeypatch, slow=lambda now: ran.append(now))
    assert passes.run(entry, now=NOW)


def test_a_broken_pass_lets_go_of_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*, now: datetime) -> None:
        raise ValueError

    entry = Pass("one", "one", 1, 60)
    for _ in range(2):
        play(monkeypatch, one=break_down)
        with pytest.raises(ValueError, match=r"^$"):
            passes.run(entry, now=NOW)


def test_each_lane_has_a_queue_and_a_worker_of_its_own() -> None:
    queues = {name: each["options"]["queue"] for name, each in app.conf.beat_schedule.items()}
    assert queues == {entry.name: entry.lane for entry in PASSES}
    site = Path(scheduler.__file__).parent.parent
    compose = (site / "docker-compose.yml").read_text()
    by_hand = (site / "docs/operating.md").read_text()
    for lane in set(queues.values()):
        assert f'"--queues", "{lane}"' in compose
        assert f" --queues {lane} " in by_hand


def test_celery_runs_passes_of_the_schedule_only() -> None:
    with pytest.raises(ValueError, match="not a pass"):
        run_pass("marketplace.settings")
