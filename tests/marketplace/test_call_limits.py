"""Nobody's program takes the site from the others, and none that only works is ever refused."""

import logging
import socketserver
import threading
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from redis import ConnectionError as RedisAway

from marketplace.call_limits import AWAY_S, WINDOW_S, Calls, in_redis

#: where a window begins
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
#: in a minute; a sixth of it in a window
A_MINUTE = 240
IN_A_WINDOW = 40


class Shared:
    """Adds up for several processes, as Redis does."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], int] = {}
        self.asked = 0
        self.away = False

    def add(self, subject: str, window: int, calls: int) -> int:
        self.asked += 1
        if self.away:
            raise RedisAway
        key = subject, window
        self.counts[key] = self.counts.get(key, 0) + calls
        return self.counts[key]


def let_in(calls: Calls, times: int, *, now: datetime = NOON, subject: str = "key 1") -> int:
    """Return how many of so many calls were let in."""
    return sum(calls.take(subject, A_MINUTE, now) == 0 for _ in range(times))


def test_calls_beyond_a_windows_part_wait_for_the_next_window() -> None:
    calls = Calls(None)
    assert let_in(calls, IN_A_WINDOW + 5) == IN_A_WINDOW
    assert let_in(calls, 1, subject="key 2") == 1
    assert calls.take("key 1", A_MINUTE, NOON + timedelta(seconds=3)) == WINDOW_S - 3
    assert let_in(calls, 50, now=NOON + timedelta(seconds=WINDOW_S)) == IN_A_WINDOW


def test_zero_is_no_limit() -> None:
    calls = Calls(None)
    assert not any(calls.take("key 1", 0, NOON) for _ in range(1000))


def test_processes_count_together_and_ask_but_once_for_each_part() -> None:
    shared = Shared()
    processes = [Calls(shared.add) for _ in range(4)]
    passed = sum(let_in(one, 1) for _ in range(IN_A_WINDOW) for one in processes)
    # Each part of two is known to the others only when it is full.
    assert IN_A_WINDOW <= passed <= IN_A_WINDOW + 2 * len(processes)
    assert shared.asked <= passed / 2


def test_without_redis_each_process_counts_by_itself_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shared = Shared()
    shared.away = True
    calls = Calls(shared.add)
    with caplog.at_level(logging.WARNING, logger="marketplace.call_limits"):
        assert let_in(calls, IN_A_WINDOW + 5) == IN_A_WINDOW
        assert shared.asked == 1
        assert let_in(calls, 2, now=NOON + timedelta(seconds=AWAY_S)) == 2
    assert shared.asked == 2
    assert len(caplog.records) == 1


def test_once_redis_is_back_its_going_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    shared = Shared()
    calls = Calls(shared.add)
    with caplog.at_level(logging.WARNING, logger="marketplace.call_limits"):
        for turn, away in enumerate((True, False, True)):
            shared.away = away
            let_in(calls, 2, now=NOON + timedelta(seconds=turn * AWAY_S))
    assert len(caplog.records) == 2


@pytest.mark.parametrize("seconds", [0, 3, -7200])
def test_a_clock_that_is_set_never_makes_a_caller_wait_longer_than_a_window(seconds: int) -> None:
    calls = Calls(None)
    let_in(calls, IN_A_WINDOW)
    waits = calls.take("key 1", A_MINUTE, NOON + timedelta(seconds=seconds))
    assert 0 <= waits <= WINDOW_S


class Adds(socketserver.StreamRequestHandler):
    """Answers as Redis does to what adds up, and keeps the keys that it was told."""

    kept: ClassVar[dict[bytes, int]] = {}

    def handle(self) -> None:
        """Answer each command."""
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            if words[0] == b"INCRBY":
                self.kept[words[1]] = self.kept.get(words[1], 0) + int(words[2])
                self.wfile.write(b":%d\r\n" % self.kept[words[1]])
            elif words[0] == b"HELLO":
                self.wfile.write(b"-ERR unknown command\r\n")
            else:
                self.wfile.write(b":1\r\n" if words[0] == b"EXPIRE" else b"+OK\r\n")


def test_redis_adds_up_what_two_processes_tell_and_reads_no_address() -> None:
    Adds.kept = {}
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Adds) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"redis://127.0.0.1:{server.server_address[1]}/0?protocol=2"
            one, other = in_redis(url), in_redis(url)
            assert one is not None
            assert other is not None
            assert one("address 203.0.113.7", 5, 2) == 2
            assert other("address 203.0.113.7", 5, 2) == 4
            assert other("address 203.0.113.7", 6, 2) == 2
        finally:
            server.shutdown()
            thread.join()
    assert len(Adds.kept) == 2
    assert not [one for one in Adds.kept if b"203.0.113" in one]


def test_queues_of_another_kind_add_nothing_up() -> None:
    assert in_redis("") is None
    assert in_redis("amqp://one") is None
