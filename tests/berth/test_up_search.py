"""``berth up`` rents what a search finds, as much of it as the search names."""

from typing import Any

import pytest

from tests.berth.market import Market, offer
from tests.berth.terminal import Terminal

UP = ("--cheapest", "--image", "debian:12", "--lease", "1h", "--json")
GPUS = {"gpus": 8, "gpus_free": 8, "gpu_model": "NVIDIA H100", "cpus_free": 64}


@pytest.fixture
def page(market: Market) -> dict[str, Any]:
    market.offers = [offer(name, price, **GPUS) for name, price in (("b", 20_000), ("a", 40_000))]
    # Best first is not cheapest first.
    items = [
        one | {"price_asked_hour_microusd": price}
        for one, price in zip(market.offers, (20_000_000, 10_000_000), strict=True)
    ]
    page = {"items": items, "next_cursor": None, "asked": {}, "of_gpus": True}
    market.told["GET", "/offers"] = page
    return page


@pytest.mark.parametrize(
    ("asked", "words", "gpus", "cpus"),
    [
        ({"gpus_min": 4, "cpus_min": 16}, (), 4, 16),
        ({}, (), 1, 1),
        ({}, ("--gpus", "0"), 0, 1),
        ({"gpus_min": 2}, ("--gpus", "4", "--cpus", "3"), 4, 3),
        ({"gpus_min": 4}, ("--gpus", "2"), 4, 1),
        ({"gpus_min": 4}, ("--gpus", "0"), 0, 1),
        ({"gpus_min": 4}, ("--gpu-model", "H100"), 4, 1),
    ],
)
def test_as_much_is_rented_as_the_search_names(
    terminal: Terminal,
    market: Market,
    page: dict[str, Any],
    asked: dict[str, int],
    words: tuple[str, ...],
    gpus: int,
    cpus: int,
) -> None:
    page["asked"] = asked
    ran = terminal.berth("up", "gpu_name=H100 dph<9", *UP, *words)
    assert (ran.code, ran.err) == (0, "")
    rented = market.seen[-1].body
    told = rented["resources"]
    assert (told["gpu"]["count"], told["cpu"]["count"]) == (gpus, cpus)
    found = next(seen.query for seen in reversed(market.seen) if seen.path == "/offers")
    assert (found["q"], found["sort"]) == ("gpu_name=H100 dph<9", "price")
    assert found.get("gpus_min") == (str(gpus) if gpus else None)


def test_the_best_by_another_order_comes_first(
    terminal: Terminal, market: Market, page: dict[str, Any]
) -> None:
    for words, first in (((), "a"), (("--sort", "value"), "b")):
        market.seen.clear()
        assert terminal.berth("up", "gpu_name=H100", *UP, *words).code == 0
        assert market.seen[-1].body["offer_id"] == first
        assert market.seen[1].query["sort"] == (words or ("", "price"))[1]


def test_another_order_is_for_a_search_alone(terminal: Terminal, market: Market) -> None:
    for words in (("offer-a",), ("--cheapest", "--reserved", "30")):
        ran = terminal.berth("up", *words, "--image", "i", "--sort", "value")
        assert (ran.code, market.seen) == (2, [])
        assert "--sort goes with --cheapest" in ran.err


@pytest.mark.parametrize(("words", "gpus"), [((), 1), (("--gpus", "0"), 0), (("--gpus", "2"), 2)])
def test_a_kind_of_gpu_means_one_where_nothing_is_searched_for(
    terminal: Terminal, market: Market, page: dict[str, Any], words: tuple[str, ...], gpus: int
) -> None:
    ran = terminal.berth("up", *UP, "--gpu-model", "H100", *words)
    assert (ran.code, ran.err) == (0, "")
    assert market.seen[-1].body["resources"]["gpu"]["count"] == gpus


@pytest.mark.parametrize(
    ("whose", "words", "code"),
    [
        ({"version": 3}, (), 2),
        ({"version": 3}, ("--gpus", "8"), 0),
        ({"version": 3}, ("--price-max", "100"), 0),
        ({"version": 3, "yours": True}, (), 0),
        ({"version": 0}, (), 0),
    ],
)
def test_what_a_strangers_template_needs_is_rented_only_where_its_price_is_bounded(
    terminal: Terminal,
    market: Market,
    page: dict[str, Any],
    whose: dict[str, object],
    words: tuple[str, ...],
    code: int,
) -> None:
    page["asked"] = {"gpus_min": 8}
    template = {"reference": "big", "name": "big", "image": "i", "needs": "num_gpus>=8"}
    market.told["GET", "/templates/big"] = template | whose
    ran = terminal.berth("up", *UP, "--template", "big", *words)
    assert ran.code == code
    if code:
        assert "--price-max" in ran.err
        assert market.rentals == {}
