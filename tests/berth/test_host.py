"""A host sees in a terminal what was earned, and when and how much is paid."""

from collections import deque
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


LISTED: list[dict[str, Any]] = [
    {
        "id": MACHINE,
        "machine_key": "ab" * 32,
        "online": True,
        "gpu_model": "RTX\x1b[2J 4090",
        "gpus": 2,
        "cpus": 32,
        "verdict": "degraded",
        "reasons": [{"code": "slow", "message": "The disk is slow; replace it."}],
        "uptime_ppm": 998_765,
        "occupancy_ppm": 423_000,
        "earned_microusd": 80_000_000,
    },
    {"id": "1c1d2c3e-0000-4000-8000-000000000002", "machine_key": "cd" * 32, "cpus": 4},
]
PRICES: dict[str, Any] = {
    "offered": {
        "p10_microusd": 210_000,
        "median_microusd": 330_000,
        "p90_microusd": 550_000,
        "prices": 41,
        "hosts": 17,
    },
    "paid": None,
    "price_unit_microusd": 400_000,
    "occupancy_ppm": 423_000,
    "earns_microusd": 231_000_000,
}


def test_machines_are_told_with_what_is_wrong(terminal: Terminal, market: Market) -> None:
    market.machines = LISTED
    ran = terminal.berth("host", "machines")
    assert (ran.code, ran.err) == (0, "")
    for words in ("degraded", "42.3 %", "$80.00", "0.9988", "The disk is slow; replace it."):
        assert words in ran.out
    assert "\x1b[2J" not in ran.out
    assert [one["id"] for one in terminal.berth("host", "machines", "--json").json] == [
        one["id"] for one in LISTED
    ]


def test_machines_of_all_pages_are_told(terminal: Terminal, market: Market) -> None:
    market.told["GET", "/host/machines"] = deque(
        [{"items": LISTED[:1], "next_cursor": MACHINE}, {"items": LISTED[1:], "next_cursor": None}]
    )
    told = terminal.berth("host", "machines", "--json").json
    assert [one["id"] for one in told] == [one["id"] for one in LISTED]
    assert [seen.query for seen in market.seen] == [{}, {"cursor": MACHINE}]


def test_a_market_of_few_is_said_to_be_one(terminal: Terminal, market: Market) -> None:
    market.machines = LISTED
    market.told["GET", f"/host/machines/{MACHINE}/market"] = PRICES
    ran = terminal.berth("host", "market", "0b1d", "--price", "0.40")
    assert (ran.code, ran.err) == (0, "")
    for words in ("median $0.33", "41 of 17 hosts", "fewer than five hosts", "$231.00"):
        assert words in ran.out
    assert market.seen[-1].query == {"price_unit_microusd": "400000"}


def test_a_price_goes_to_the_unit_that_the_machine_has(terminal: Terminal, market: Market) -> None:
    market.machines = LISTED
    for machine, name in (("0b1d", "price_gpu_hour_microusd"), ("1c1d", "price_cpu_hour_microusd")):
        found = next(one["id"] for one in LISTED if one["id"].startswith(machine))
        market.told["PATCH", f"/host/machines/{found}/offer"] = {}
        ran = terminal.berth("host", "price", machine, "0.42")
        assert (ran.code, ran.err) == (0, "")
        assert market.seen[-1].body == {name: 420_000}
        told = terminal.berth("host", "price", machine, "0.42", "--json").json
        assert told == {"id": found, "price_unit_microusd": 420_000}
    assert terminal.berth("host", "price", "0b1d", "cheap").code == 2


def test_work_is_announced_and_called_off(terminal: Terminal, market: Market) -> None:
    market.machines = LISTED
    market.told["PATCH", f"/host/machines/{MACHINE}/offer"] = {}
    window = ("--from", "2027-01-05T08:00Z", "--until", "2027-01-05T10:00Z")
    ran = terminal.berth("host", "maintenance", "0b1d", *window)
    assert (ran.code, ran.err) == (0, "")
    assert market.seen[-1].body == {
        "maintenance": {
            "begins_at": "2027-01-05T08:00:00+00:00",
            "ends_at": "2027-01-05T10:00:00+00:00",
        }
    }
    told = terminal.berth("host", "maintenance", "0b1d", *window, "--json").json
    assert told["maintenance"] == market.seen[-1].body["maintenance"]
    told = terminal.berth("host", "maintenance", "0b1d", "--withdraw", "--json").json
    assert told == {"id": MACHINE, "maintenance": None}
    assert terminal.berth("host", "maintenance", "0b1d", "--withdraw").code == 0
    assert market.seen[-1].body == {"maintenance": None}


@pytest.mark.parametrize(
    "given",
    [(), ("--from", "2027-01-05T08:00Z"), ("--withdraw", "--until", "2027-01-05T08:00Z")],
)
def test_half_a_window_is_refused_before_anything_is_asked(
    terminal: Terminal, market: Market, given: tuple[str, ...]
) -> None:
    assert terminal.berth("host", "maintenance", "0b1d", *given).code == 2
    assert market.seen == []


def test_a_country_is_said_and_taken_back(terminal: Terminal, market: Market) -> None:
    market.machines = LISTED
    market.told["PATCH", f"/host/machines/{MACHINE}/offer"] = {}
    ran = terminal.berth("host", "country", "0b1d", "de")
    assert (ran.code, "is in DE" in ran.out) == (0, True)
    assert market.seen[-1].body == {"country": "de"}
    told = terminal.berth("host", "country", "0b1d", "de", "--json").json
    assert told == {"id": MACHINE, "country": "DE"}
    assert terminal.berth("host", "country", "0b1d", "--withdraw").code == 0
    assert market.seen[-1].body == {"country": ""}
    for given in ([], ["DE", "--withdraw"]):
        assert terminal.berth("host", "country", "0b1d", *given).code == 2
