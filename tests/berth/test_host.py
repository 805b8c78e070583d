"""A host sees in a terminal what was earned, and when and how much is paid."""

from typing import Any

import pytest

from tests.berth.market import Market
from tests.berth.terminal import Terminal

MACHINE = "0b1d2c3e-0000-4000-8000-000000000001"
EARNINGS = {
    "balance_microusd": 180_000_000,
    "available_microusd": 127_000_000,
    "young_microusd": 50_000_000,
    "reserve_microusd": 3_000_000,
    "today_microusd": 0,
    "week_microusd": 50_000_000,
    "month_microusd": 80_000_000,
    "machines": [
        {
            "machine_id": MACHINE,
            "today_microusd": 0,
            "week_microusd": 50_000_000,
            "month_microusd": 80_000_000,
        }
    ],
}
PAYOUTS: dict[str, Any] = {
    "route": "bank",
    "next_at": "2026-03-06T00:00:00Z",
    "next_amount_microusd": 127_000_000,
    "obstacle": "none",
    "minimum_microusd": 20_000_000,
    "account_reason": "",
    "items": [
        {
            "id": MACHINE,
            "week": "2026-02-27",
            "amount_microusd": 44_000_000,
            "state": "failed",
            "reason": "The bank\x1b[2J refused it.",
            "settled_at": "2026-02-27T00:01:00Z",
        }
    ],
}


def test_earnings_are_told_by_machine(terminal: Terminal, market: Market) -> None:
    market.hosting = {"earnings": EARNINGS}
    ran = terminal.berth("host", "earnings")
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[1] == ["0b1d2c3e", "$0.00", "$50.00", "$80.00"]
    assert ["Available", "$127.00"] in lines
    assert terminal.berth("host", "earnings", "--json").json["reserve_microusd"] == 3_000_000


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Next on 2026-03-06 (UTC): $127.00."),
        (
            {"obstacle": "shut", "next_amount_microusd": 0, "account_reason": "Blurred."},
            "Next on 2026-03-06 (UTC): $0.00. Your account cannot be paid to now. Blurred.",
        ),
    ],
)
def test_payouts_are_told_with_the_next_one(
    terminal: Terminal, market: Market, changed: dict[str, object], said: str
) -> None:
    market.hosting = {"payouts": PAYOUTS | changed}
    ran = terminal.berth("host", "payouts")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == said
    assert "2026-02-27" in ran.out
    assert "\x1b" not in ran.out
