"""What is for rent, in a terminal."""

import re
from typing import Any

import pytest
import typer
from click import Command

from berth.cli import output
from berth.cli.app import app
from berth.offers import OfferFilter
from marketplace.offers.api import OfferReply
from tests.berth.market import Market, offer
from tests.berth.terminal import Terminal


def test_offers_tell_why_nobody_vouches_for_a_machine(terminal: Terminal, market: Market) -> None:
    assert "berth offers --unverified" in terminal.berth("offers", "--cpus", "4000").out
    why = "No validator vouches for its GPUs now, so they cannot be rented."
    market.offers += [
        offer(name, 1, gpus=1, gpu_model="H100", verified=False, unverified_reason=why)
        for name in ("offer-g", "offer-h")
    ]
    assert terminal.berth("offers", "--unverified").err.count(why) == 1


def test_offers_of_every_page_are_listed(terminal: Terminal) -> None:
    found = terminal.berth("offers", "--cpus", "2", "--json").json["items"]
    assert [one["id"] for one in found] == ["offer-b", "offer-a", "offer-c"]
    assert "$0.02" in terminal.berth("offers", "--limit", "1").out


def test_offers_say_where_they_are_and_how_fast_their_line_is(
    terminal: Terminal, market: Market
) -> None:
    line = {"network_down_mbit_s": 800, "network_up_mbit_s": 80}
    market.offers += [offer("offer-z", 1, country="DE", **line)]
    ran = terminal.berth("offers", "--country", "DE")
    assert market.seen[-1].query["country"] == "DE"
    (row,) = [row for row in ran.out.splitlines() if "offer-z" in row]
    assert "DE  800/80 Mbit/s" in row


def test_unverified_machines_are_shown_only_when_asked_for(
    terminal: Terminal, market: Market
) -> None:
    for words, sent in (((), "true"), (("--unverified",), "false")):
        assert terminal.berth("offers", *words).code == 0
        assert market.seen[-1].query["verified"] == sent


def test_machines_of_which_nothing_is_free_are_shown_only_when_asked_for(
    terminal: Terminal, market: Market
) -> None:
    for words, sent in (((), None), (("--rented",), "true")):
        assert terminal.berth("offers", *words).code == 0
        assert market.seen[-1].query.get("rented") == sent


#: an option of ``berth offers`` and what is sent for it
FILTERS = {
    "q": (("num_gpus>=2",), "num_gpus>=2"),
    "gpu_model": (("--gpu-model", "H100"), "H100"),
    "gpus_min": (("--gpus", "2"), "2"),
    "vram_bytes_min": (("--vram", "80GiB"), str(80 << 30)),
    "cpus_min": (("--cpus", "2"), "2"),
    "ram_bytes_min": (("--ram", "4GiB"), str(4 << 30)),
    "disk_bytes_min": (("--disk", "10GB"), str(10**10)),
    "price_hour_microusd_max": (("--price-max", "0.50"), "500000"),
    "country": (("--country", "DE"), "DE"),
    "region": (("--region", "EU"), "EU"),
    "network_down_mbit_s_min": (("--down", "500"), "500"),
    "network_up_mbit_s_min": (("--up", "100"), "100"),
    "reliability_ppm_min": (("--reliability", "99.5%"), "995000"),
    "lease_s_min": (("--runs", "2d"), "172800"),
    "cuda_min": (("--cuda", "12.4"), "12.4"),
    "interruptible": (("--interruptible",), "true"),
    "reserved": (("--reserved",), "true"),
    "verified": (("--unverified",), "false"),
    "rented": (("--rented",), "true"),
    "sort": (("--sort", "value"), "value"),
    "limit": (("--limit", "7"), "7"),
}


def test_every_field_of_a_search_has_an_option(terminal: Terminal, market: Market) -> None:
    words = [word for told, _ in FILTERS.values() for word in told]
    assert terminal.berth("offers", *words).code == 0
    first, *_ = (seen for seen in market.seen if seen.path == "/offers")
    assert first.query == {name: sent for name, (_, sent) in FILTERS.items()}
    assert set(FILTERS) == set(OfferFilter.model_fields) - {"cursor"}


def test_every_option_of_a_search_is_sent() -> None:
    commands: dict[str, Command] = typer.main.get_group(app).commands
    # --order is another word for --sort.
    options = {one.name for one in commands["offers"].params} - {"as_json", "help", "ordered"}
    assert len(options) == len(FILTERS)


@pytest.mark.parametrize("share", ["99", "-1%", "101%", "most", "NaN"])
def test_what_is_no_share_is_said(terminal: Terminal, share: str) -> None:
    ran = terminal.berth("offers", f"--reliability={share}")
    assert ran.code == 2
    assert "0.99 or 99%" in " ".join(ran.err.split())


MEASURED: dict[str, Any] = {
    "gpu_model": "NVIDIA GeForce RTX 4090",
    "gpus": 2,
    "gpus_free": 1,
    "host_id": 17,
    "vram_bytes": 24 << 30,
    "cpus": 64,
    "price_gpu_hour_microusd": 420_000,
    "country": "DE",
    "network_down_mbit_s": 800,
    "network_up_mbit_s": 80,
    "int8_gops": 661_000,
    "bandwidth_mb_s": 1_008_000,
    "value_microusd": 635_200,
    "reliability_ppm": 998_700,
    "start_p50_ms": 4_100,
    "start_p95_ms": 9_800,
    "starts": 12,
    "starts_failed": 1,
    "cuda": "12.4",
    "cpus_min": 2,
    "gpus_min": 1,
    "closes_at": "2027-01-05T08:00:00Z",
    "private": True,
    "listed": True,
}

HASHED = {"cpu_hash_rate": 4_200_000, "value_microusd": 9_523}


def test_each_column_tells_what_the_offer_says(terminal: Terminal, market: Market) -> None:
    market.offers = [offer("gpus-000", 1, **MEASURED), offer("cpus-000", 40_000, **HASHED)]
    ran = terminal.berth("offers", "--unverified")
    head, *rows = (re.split(r" {2,}", line.strip()) for line in ran.out.splitlines())
    told = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert told["gpus-000"] == {
        "OFFER": "gpus-000",
        "MACHINE": "NVIDIA GeForce RTX 4090",
        "FREE": "1/2 GPU",
        "VRAM": "24 GiB",
        "CPUS": "4",
        "RAM": "8 GiB",
        "DISK": "50 GiB",
        "HOST": "17",
        "IN": "DE",
        "DOWN/UP": "800/80 Mbit/s",
        "MEASURED": "661 TOPS",
        "GB/S": "1,008",
        "PER RESULT": "$0.6352/1000 TOPS",
        "PRICE/H": "$0.42 GPU",
        "START P50/P95": "4.1/9.8 s",
        "CAME UP": "12/13",
        "STATE": "verified 99.87 %",
    }
    cpus = told["cpus-000"]
    assert (cpus["MEASURED"], cpus["PER RESULT"]) == ("4.2 M it/s", "$0.0095/M it/s")
    assert (cpus["START P50/P95"], cpus["CAME UP"], cpus["VRAM"]) == ("-", "-", "-")


def test_json_has_all_that_the_marketplace_says(terminal: Terminal, market: Market) -> None:
    said = offer("gpus-000", 1, **MEASURED)
    market.offers = [said]
    (told,) = terminal.berth("offers", "--json").json["items"]
    assert {name: told[name] for name in said} == said
    assert set(OfferReply.model_fields) <= set(told)


@pytest.mark.parametrize(
    ("width", "shown"),
    [(28, ["A", "NAME", "D"]), (33, ["A", "B", "NAME", "D"]), (34, ["A", "B", "C", "NAME", "D"])],
)
def test_a_narrow_terminal_leaves_out_what_matters_least(width: int, shown: list[str]) -> None:
    columns = ("A", "?B", "??>C", "~NAME", "D")
    at = output.that_fit(columns, [("1", "22", "333", "n" * 40, "4444")], width)
    assert [columns[one].lstrip("?~>") for one in at] == shown
