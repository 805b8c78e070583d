"""A renter reports a rental from a terminal, and reads what staff answered."""

from typing import Any

import pytest

from tests.berth.market import Market, Refusal
from tests.berth.terminal import Terminal

REPORT: dict[str, Any] = {
    "id": "81c07e52-5d1c-4d7b-9a30-0c6de4b1a111",
    "rental_id": "",
    "what": "hardware",
    "text": "It was slow.",
    "asked_microusd": 1_200_000,
    "state": "open",
    "made_at": "2026-03-01T12:00:00Z",
    "closed_at": None,
    "answer": "",
    "credited_microusd": 0,
}


def test_a_rental_is_reported_and_the_report_withdrawn(terminal: Terminal, market: Market) -> None:
    rental = market.add_rental(script=[])["id"]
    path = f"/rentals/{rental}/report"
    made = REPORT | {"rental_id": rental}
    market.told |= {("POST", path): made, ("GET", path): made, ("DELETE", path): None}
    said = ("--what", "hardware", "--text", "It was slow.", "--ask", "1.20")
    ran = terminal.berth("report", rental[:8], *said)
    assert ran.out == f"Report about rental {rental}: waits for staff\n"
    (sent,) = [one for one in market.seen if one.method == "POST"]
    assert sent.body == {"what": "hardware", "text": "It was slow.", "asked_microusd": 1_200_000}
    assert terminal.berth("report", rental, "--json").json["state"] == "open"
    market.told[("GET", path)] = made | {"state": "withdrawn"}
    assert "withdrawn" in terminal.berth("report", rental, "--withdraw").out
    assert any(one.method == "DELETE" for one in market.seen)


def test_the_answer_is_shown_and_cannot_write_over_the_terminal(
    terminal: Terminal, market: Market
) -> None:
    rental = market.add_rental(script=[])["id"]
    answered = REPORT | {
        "rental_id": rental,
        "state": "credited",
        "answer": "The card\x1b[2J was hot.",
        "credited_microusd": 800_000,
    }
    market.told[("GET", f"/rentals/{rental}/report")] = answered
    market.told[("GET", "/reports")] = {"items": [answered, REPORT | {"state": "refused"}]}
    for ran in (terminal.berth("report", rental), terminal.berth("reports")):
        assert "credited, $0.80 came back" in ran.out
        assert "\x1b" not in ran.out
        assert "was hot." in ran.out
    assert "nothing comes back" in terminal.berth("reports").out
    market.told[("GET", "/reports")] = {"items": []}
    assert "You reported nothing." in terminal.berth("reports").out


@pytest.mark.parametrize(
    "typed",
    [("--what", "hardware"), ("--text", "Slow"), ("--ask", "1"), ("--what", "x", "--text", "y")],
)
def test_what_is_half_said_is_typed_wrongly(
    terminal: Terminal, market: Market, typed: tuple[str, ...]
) -> None:
    rental = market.add_rental(script=[])["id"]
    assert terminal.berth("report", rental, *typed).code == 2
    assert not [one for one in market.seen if one.method == "POST"]


def test_a_refusal_says_why(terminal: Terminal, market: Market) -> None:
    rental = market.add_rental(script=[])["id"]
    refused = Refusal(409, "report_too_late", "A rental can be reported for 30 days.")
    market.refusals[("POST", f"/rentals/{rental}/report")] = refused
    ran = terminal.berth("report", rental, "--what", "other", "--text", "x")
    assert (ran.code, "[report_too_late]" in ran.err) == (1, True)
