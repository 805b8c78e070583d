"""Nodes that fall silent, lie or drop the line: no attempt is lost and none is made twice."""

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.fakechain.node import SUBMIT
from tests.fakechain.pool import PoolRefused
from tests.validator.marketplace_stub import Stub, serving
from tests.validator.subnet import NETUID, Operator, operating
from validator.models import WeightSubmission

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Operator]:
    with serving(Stub()) as stub, operating(monkeypatch, tmp_path, stub) as operator:
        yield operator


def newest() -> WeightSubmission:
    return WeightSubmission.objects.latest("pk")


def assert_nothing_was_sent(operator: Operator, code: int, told: dict[str, object]) -> None:
    assert (code, told["outcome"]) == (5, "unreachable"), told
    assert SUBMIT not in operator.node.called
    assert newest().outcome == "unreachable"
    assert newest().settled_at is not None


def test_nobody_listens(operator: Operator) -> None:
    code, told = operator.types("--network", "ws://127.0.0.1:9")
    assert_nothing_was_sent(operator, code, told)


def test_a_door_that_opens_and_says_nothing(operator: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"ws://127.0.0.1:{mute.getsockname()[1]}"
        code, told = operator.types("--network", address, "--timeout", "0.5")
    assert_nothing_was_sent(operator, code, told)


@pytest.mark.parametrize(
    "method", ["state_getRuntimeVersion", "state_getStorageAt", "account_nextIndex"]
)
def test_a_node_that_falls_silent_before_anything_is_signed(
    operator: Operator, method: str
) -> None:
    operator.node.faults.silent = {method}
    code, told = operator.types("--timeout", "0.7")
    assert_nothing_was_sent(operator, code, told)


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("state_getStorageAt", "{nonsense"),
        ("state_getStorageAt", '{"jsonrpc": "2.0", "id": ID, "result": "0xzz"}'),
        ("state_getStorageAt", '{"jsonrpc": "2.0", "id": ID, "result": ["\\u001b[2J"]}'),
        ("chain_getHeader", '{"jsonrpc": "2.0", "id": ID, "result": 7}'),
        (
            "chain_getHeader",
            '{"jsonrpc": "2.0", "id": ID, "error": {"code": -32005, "message": "slow down"}}',
        ),
        ("state_call", '{"jsonrpc": "2.0", "id": ID, "result": "0x' + "00" * 5_000_000 + '"}'),
    ],
    ids=["no-json", "no-hex", "a-list", "a-number", "throttled", "ten-megabytes"],
)
def test_a_node_that_answers_nonsense(operator: Operator, method: str, reply: str) -> None:
    operator.node.faults.instead = {method: reply}
    code, told = operator.types("--timeout", "0.7")
    assert_nothing_was_sent(operator, code, told)
    assert told["detail"].isprintable()
    assert len(told["detail"]) < 600


def test_a_slow_node_is_waited_for(operator: Operator) -> None:
    operator.node.faults.delay_s = 0.01
    assert operator.types()[1]["outcome"] == "set"


def test_a_silent_subscription_ends_at_the_deadline_and_the_next_run_finds_the_weights(
    operator: Operator,
) -> None:
    operator.node.faults.silent_watch = True
    code, told = operator.types("--timeout", "1.5")
    assert (code, told["outcome"]) == (6, "unknown")
    row = newest()
    assert (row.outcome, row.settled_at) == ("unknown", None)
    code, told = operator.types()
    assert (code, told["outcome"]) == (0, "too_soon")
    assert told["settled"].startswith("set: ")
    row.refresh_from_db()
    assert row.outcome == "set"
    assert row.settled_at is not None
    assert operator.node.called.count(SUBMIT) == 1


def test_a_line_that_drops_after_a_commit_is_found_committed(operator: Operator) -> None:
    operator.chain.set_subnet("CommitRevealWeightsEnabled", NETUID, True)
    operator.node.faults.drops_after_submit = True
    code, told = operator.types("--timeout", "3")
    assert (code, told["outcome"]) == (6, "unknown")
    operator.node.faults.drops_after_submit = False
    assert operator.types()[1]["settled"].startswith("committed: ")
    assert operator.node.called.count(SUBMIT) == 1


@pytest.mark.parametrize("status", ["dropped", "usurped", "invalid"])
def test_what_the_pool_lost_is_sent_again_only_when_it_is_dead(
    operator: Operator, status: str
) -> None:
    faults = operator.node.faults
    faults.held_back, faults.watch_status = [], status
    code, told = operator.types("--timeout", "3")
    assert (code, told["outcome"]) == (6, "unknown")
    lost = newest()
    (raw,) = faults.held_back
    faults.held_back = None
    code, told = operator.types()
    assert (code, told["outcome"]) == (6, "unknown")
    assert f"until block {lost.dead_after_block}" in told["detail"]
    assert operator.node.called.count(SUBMIT) == 1
    assert WeightSubmission.objects.count() == 1

    operator.chain.advance(lost.dead_after_block - operator.chain.number + 1)
    with pytest.raises(PoolRefused, match="bad signature"):
        operator.chain.take_in(raw)
    code, told = operator.types()
    assert (code, told["outcome"]) == (0, "set")
    assert told["settled"].startswith("unreachable: ")
    lost.refresh_from_db()
    assert lost.outcome == "unreachable"
    assert operator.node.called.count(SUBMIT) == 2


def test_what_lands_late_is_found_and_not_sent_again(operator: Operator) -> None:
    faults = operator.node.faults
    faults.held_back, faults.watch_status = [], "dropped"
    operator.types("--timeout", "3")
    operator.chain.advance(5)
    operator.chain.take_in(faults.held_back[0])
    code, told = operator.types()
    assert (code, told["outcome"]) == (0, "too_soon")
    assert told["settled"].startswith("set: ")
    assert operator.node.called.count(SUBMIT) == 1


def test_an_operator_may_give_up_on_an_open_attempt(operator: Operator) -> None:
    faults = operator.node.faults
    faults.held_back, faults.watch_status = [], "dropped"
    operator.types("--timeout", "3")
    faults.held_back = None
    assert operator.types("--force")[1]["outcome"] == "set"
    first, second = WeightSubmission.objects.order_by("pk")
    assert (first.outcome, second.outcome) == ("unknown", "set")
    assert first.settled_at is not None


def test_a_hotkey_that_sets_weights_elsewhere_too_is_told(operator: Operator) -> None:
    faults = operator.node.faults
    faults.held_back, faults.watch_status = [], "dropped"
    operator.types("--timeout", "3")
    faults.held_back = None
    operator.chain.advance(1)
    operator.chain.set_subnet("LastUpdate", NETUID, [0, operator.chain.number, 0])
    code, told = operator.types()
    assert told["settled"].startswith("unknown: Other weights")
    assert (code, told["outcome"]) == (0, "too_soon")


def test_a_killed_run_left_a_row_and_the_next_one_finds_the_weights(operator: Operator) -> None:
    """In processes of their own, as a validator that runs alone, with its own database."""
    sent = Event()
    operator.node.faults.before_submit = sent.set
    operator.node.faults.silent_watch = True
    with operator.starts("--timeout", "60") as killed:
        try:
            assert sent.wait(60)
        finally:
            killed.kill()
    assert rows(operator) == [("sending", None)]
    with operator.starts() as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["outcome"] == "too_soon"
    assert told["settled"].startswith("set: ")
    assert [outcome for outcome, _ in rows(operator)] == ["set", "too_soon"]
    assert operator.node.called.count(SUBMIT) == 1


def rows(operator: Operator) -> list[tuple[str, object]]:
    connection = sqlite3.connect(operator.folder / "validator.sqlite3")
    try:
        return connection.execute(
            "SELECT outcome, settled_at FROM validator_weightsubmission ORDER BY id"
        ).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("hang", ["time.sleep(60)", "re.match('(a+)+$', 'a' * 60 + 'b')"])
def test_a_process_that_hangs_is_ended_also_where_it_holds_the_interpreter(hang: str) -> None:
    script = (
        "import re, time; from validator.deadline import ended_after\n"
        f"with ended_after(0.2): {hang}"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr
