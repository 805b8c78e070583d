"""A host sets terms, asks a price of what runs, enrols, appeals and reads what to mend."""

import re
from typing import Any

import pytest

from tests.berth.market import Market, offer
from tests.berth.terminal import Terminal
from tests.berth.test_host import LISTED, MACHINE

CPUS = LISTED[1]["id"]
OFFER = offer("offer-a", 40_000) | {
    "gpus": 2,
    "gpus_min": 1,
    "cpus_min": 2,
    "price_gpu_hour_microusd": 420_000,
    "bid_floor_microusd": None,
    "discounts": [{"days": 30, "discount_ppm": 205_000}],
    "storage_price_microusd": 100_000,
    "network_price_microusd": 0,
    "listed": True,
    "country": "DE",
    "ends_at": "2027-01-05T08:00:00Z",
    "maintenance": None,
    "guests": ["ada@example.com"],
    "longest_term_set_s": 2_592_000,
}
TOLD: dict[str, Any] = {
    "machine_id": MACHINE,
    "online": True,
    "enrolled_at": "2026-01-01T00:00:00Z",
    "gpu_model": "RTX\x1b[2J 4090",
    "gpus": 2,
    "cpus": 32,
    "state": "degraded",
    "meaning": "Something is missing.",
    "uptime_ppm": 998_765,
    "score": {
        "epoch": 7,
        "points_micro": 37,
        "factors_ppm": {"use": 700_000, "capacity": 3_000_000, "uptime": 900_000},
    },
    "remedies": [{"text": "NVML shows 8 GPUs.", "remedy": "Restart it.", "source": "a validator"}],
    "advice": "Use takes most: a lower price may bring renters.",
}
APPEAL = {"id": "a", "text": "I mended it.", "made_at": "2026-03-01T12:00:00Z"}


@pytest.fixture
def host(terminal: Terminal, market: Market) -> Terminal:
    market.machines = LISTED
    for machine in (MACHINE, CPUS):
        for method in ("GET", "PATCH"):
            market.told[method, f"/host/machines/{machine}/offer"] = OFFER
    return terminal


def test_terms_are_shown_and_nothing_is_changed(host: Terminal, market: Market) -> None:
    ran = host.berth("host", "terms", "0b1d")
    assert (ran.code, ran.err) == (0, "")
    told = dict(line.split("  ", 1) for line in ran.out.splitlines())
    assert {name: value.strip() for name, value in told.items()} == {
        "On the market": "yes",
        "Price": "$0.42 an hour of one GPU",
        "Lowest bid": "takes no bids",
        "Reservations": "30 days 20.5 % off",
        "Disk, stopped": "$0.10 a GB and 30 days",
        "Traffic": "costs nothing",
        "Longest": "30 d",
        "Fewest at once": "1 GPU, 2 CPUs",
        "Country": "DE",
        "For rent until": "2027-01-05 08:00:00 UTC",
        "Maintenance": "none announced",
        "Seen by": "you and ada@example.com",
    }
    assert host.berth("host", "terms", "0b1d", "--json").json["guests"] == ["ada@example.com"]
    assert {seen.method for seen in market.seen} == {"GET"}


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("--listed --price 0.42", {"listed": True, "price_gpu_hour_microusd": 420_000}),
        ("--unlisted", {"listed": False}),
        ("--bid-floor 0.1", {"bid_floor_microusd": 100_000}),
        ("--no-bids", {"bid_floor_microusd": None}),
        (
            "--discount 7:5 --discount 30:20.5%",
            {
                "discounts": [
                    {"days": 7, "discount_ppm": 50_000},
                    {"days": 30, "discount_ppm": 205_000},
                ]
            },
        ),
        ("--no-discounts", {"discounts": []}),
        (
            "--storage 0.10 --traffic 0",
            {"storage_price_microusd": 100_000, "network_price_microusd": 0},
        ),
        (
            "--longest 30d --gpus-min 2 --cpus-min 4",
            {"longest_term_s": 2_592_000, "gpus_min": 2, "cpus_min": 4},
        ),
        ("--until 2027-01-05T08:00Z", {"ends_at": "2027-01-05T08:00:00+00:00"}),
        ("--no-end", {"ends_at": None}),
        ("--guest a@x.org --guest b@x.org", {"guests": ["a@x.org", "b@x.org"]}),
        ("--everybody", {"guests": None}),
    ],
)
def test_only_terms_that_are_named_are_sent(
    host: Terminal, market: Market, words: str, sent: dict[str, Any]
) -> None:
    ran = host.berth("host", "terms", "0b1d", *words.split())
    assert (ran.code, ran.err) == (0, "")
    assert (market.seen[-1].method, market.seen[-1].body) == ("PATCH", sent)


def test_the_price_is_of_the_unit_that_the_machine_has(host: Terminal, market: Market) -> None:
    assert host.berth("host", "terms", "1c1d", "--price", "0.02").code == 0
    assert market.seen[-1].body == {"price_cpu_hour_microusd": 20_000}


@pytest.mark.parametrize(
    "words",
    [
        "--bid-floor 1 --no-bids",
        "--guest a@x.org --everybody",
        "--discount 30",
        "--until 2027-01-05T08:00Z --no-end",
        "--storage -1",
        "--storage 0..0",
        "--traffic $$0",
        "--price 0",
    ],
)
def test_terms_that_contradict_each_other_are_refused_before_anything_is_asked(
    host: Terminal, market: Market, words: str
) -> None:
    ran = host.berth("host", "terms", "0b1d", *words.split())
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert market.seen == []


def test_a_price_is_asked_of_what_runs(host: Terminal, market: Market) -> None:
    market.told["POST", f"/host/machines/{MACHINE}/offer/propose"] = {"lowered": 2, "asked": 1}
    assert "now on: 2." in host.berth("host", "propose", "0b1d").out
    assert host.berth("host", "propose", "0b1d", "--json").json == {"lowered": 2, "asked": 1}


def test_a_token_is_a_line_to_copy(terminal: Terminal, market: Market) -> None:
    line = 'echo brt_x | sh -c "$(curl -fsS https://berth.example/install)"'
    made = {"token": "brt_x", "expires_at": "2026-03-01T12:00:00Z", "command": line}
    market.told["POST", "/host/enrolment-tokens"] = made
    ran = terminal.berth("host", "token")
    assert (ran.code, ran.out) == (0, f"{line}\n")
    assert "2026-03-01 12:00:00 UTC" in ran.err
    assert terminal.berth("host", "token", "--json").json == made


def test_a_machine_is_shown_with_what_to_mend(host: Terminal, market: Market) -> None:
    market.told["GET", f"/host/machines/{MACHINE}"] = TOLD
    ran = host.berth("host", "show", "0b1d")
    assert (ran.code, ran.err) == (0, "")
    for words in (
        "degraded: Something is missing.",
        "0.000037 points in epoch 7",
        "capacity 3, uptime 90 %, use 70 %",
        "- NVML shows 8 GPUs. Restart it. [a validator]",
        TOLD["advice"],
    ):
        assert words in ran.out
    assert "\x1b" not in ran.out
    assert host.berth("host", "show", "0b1d", "--json").json["remedies"] == TOLD["remedies"]
    market.told["GET", f"/host/machines/{MACHINE}"] = TOLD | {"score": None}
    assert "not scored yet" in host.berth("host", "show", "0b1d").out


def test_an_appeal_is_made_and_its_answer_read(host: Terminal, market: Market) -> None:
    path = f"/host/machines/{MACHINE}/appeals"
    market.told["POST", path] = APPEAL
    answered = {"answered_at": "2026-03-02T12:00:00Z", "granted": True, "answer": "Well done."}
    market.told["GET", path] = {"items": [APPEAL | answered, APPEAL], "next_cursor": None}
    assert "waits" in host.berth("host", "appeal", "0b1d", "I mended it.").out
    assert market.seen[-1].body == {"text": "I mended it."}
    lines = host.berth("host", "appeal", "0b1d").out.splitlines()
    told = [re.split(r" {2,}", line.strip())[1:] for line in lines[1:]]
    assert told == [["granted", "Well done."], ["waits", "I mended it."]]
    assert len(host.berth("host", "appeal", "0b1d", "--json").json["items"]) == 2
