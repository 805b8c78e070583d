"""What a rental's container said is shown, waited for and followed, and steers no terminal."""

import json
import sys
from collections import deque
from typing import Any

import pytest

from berth.cli.logs import logs
from berth.client import Client
from berth.logs import FOLLOW_EVERY_S, PATIENCE_S
from berth.problem import Refused
from protocol.container_log import plain
from tests.berth.conftest import VirtualClock
from tests.berth.market import Market
from tests.berth.terminal import Terminal

COLOURED = "\x1b[31mred\x1b[0m \x1b]0;title\x07\u202eback\tend"


def line(number: int, text: str = "", stream: str = "stdout") -> dict[str, str]:
    at = f"2026-11-22T16:00:00.{number:09}Z"
    return {"at": at, "stream": stream, "text": text or f"line {number}"}


def log(*lines: dict[str, str], **changed: Any) -> dict[str, Any]:
    """Return what the marketplace says once the machine has answered."""
    taken = {"state": "taken", "taken_at": "2026-11-22T16:00:01Z", "may_ask": True, "sentence": ""}
    return {**taken, "is_cut": False, "lines": list(lines), **changed}


def rental_that_says(market: Market, *answers: dict[str, Any]) -> str:
    """Return a rental of whose log each look finds the next of these."""
    rental_id = str(market.add_rental()["id"])
    path = f"/rentals/{rental_id}/logs"
    market.told["POST", path], market.told["GET", path] = {"state": "asked"}, deque(answers)
    return rental_id


ASKED = log(state="asked", sentence="Asked.")


def test_the_newest_lines_are_waited_for(client: Client, market: Market) -> None:
    rental = rental_that_says(market, ASKED, ASKED, log(line(1)))
    found = client.logs.read(rental, tail=7)
    assert [one.text for one in found.lines] == ["line 1"]
    first, *others = market.seen
    assert (first.method, first.body) == ("POST", {"tail": 7})
    assert {one.query["tail"] for one in others} == {"7"}


def test_a_machine_that_does_not_answer_is_waited_for_so_long(
    client: Client, market: Market, time: VirtualClock
) -> None:
    rental = rental_that_says(market, *[ASKED] * 100)
    assert client.logs.read(rental).waits is True
    assert PATIENCE_S <= time.now < PATIENCE_S + 1


def test_what_is_followed_is_told_once_each_and_until_nobody_says_any_more(
    client: Client, market: Market, time: VirtualClock
) -> None:
    over = log(may_ask=False, sentence="It has ended.")
    some = (log(line(1), line(2)), log(line(3)), log(), log(line(4)), over)
    told = list(client.logs.follow(rental_that_says(market, *some), tail=2))
    assert [one.text for found in told for one in found.lines] == [f"line {n}" for n in range(1, 5)]
    asked_after = [one.query.get("after", "") for one in market.seen if one.method == "GET"]
    two, three, four = (line(number)["at"] for number in (2, 3, 4))
    assert asked_after == ["", two, three, three, four]
    assert time.slept.count(FOLLOW_EVERY_S) == 4
    assert told[-1].sentence == "It has ended."


def test_lines_steer_no_terminal_unless_they_go_elsewhere(
    terminal: Terminal, market: Market
) -> None:
    rental = rental_that_says(market, *[log(line(1, COLOURED), is_cut=True)] * 4)
    ran = terminal.berth("logs", rental[:8], "--tail", "5")
    assert (ran.code, ran.out, ran.err) == (0, "red  back\tend\n", "There is more before this.\n")
    timed = terminal.berth("logs", rental, "--times").out
    assert timed == "2026-11-22T16:00:00.000000001Z red  back\tend\n"
    assert terminal.berth("logs", rental, "--raw").out == f"{COLOURED}\n"
    told = terminal.berth("logs", rental, "--json")
    assert (told.json["lines"][0]["text"], "\x1b" in told.out) == (COLOURED, False)


def test_a_sentence_stands_beside_the_lines(terminal: Terminal, market: Market) -> None:
    silent = log(line(1), may_ask=False, sentence="Its machine is silent.")
    rental = rental_that_says(market, *[silent] * 2)
    ran = terminal.berth("logs", rental, "--follow")
    assert (ran.code, ran.out, ran.err) == (0, "line 1\n", "Its machine is silent.\n")
    ran = terminal.berth("logs", rental, "--follow", "--json")
    assert [json.loads(one) for one in ran.out.splitlines()] == [line(1)]
    assert terminal.berth("logs", rental, "--tail", "0").code == 2


def test_raw_lines_go_to_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(Refused, match="may steer a terminal"):
        logs(rental_id="x", raw=True)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended", ""),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x1b(Btext\x1b=", "text"),
        ("10 %\r20 %\x08\x07", "10 % 20 %  "),
        ("\x9b31mC1", " 31mC1"),
        ("Ünïcode 好 🙂", "Ünïcode 好 🙂"),
        ("\x1b", ""),
    ],
)
def test_what_steers_a_terminal_is_left_out(said: str, shown: str) -> None:
    assert plain(said) == shown


def test_leaving_it_out_takes_time_in_proportion() -> None:
    # Each beginning without an end: a pattern that looked for the end from each would be quadratic.
    for some in ("\x1b]", "\x1b[0", "\x1bP", "\x1b[ "):
        assert plain(some * 500_000) in ("", " " * 500_000)
