"""An order in the words of Vast.ai's command sorts the same, or says what to write."""

import pytest

from tests.berth.market import API_KEY, PASSWORD, Market
from tests.berth.terminal import Terminal

OLD = "brt_of_another_computer"


@pytest.mark.parametrize(
    ("typed", "sort"),
    [
        ("dlperf_usd-", "value"),
        ("dph", "price"),
        ("dph_total+", "price"),
        ("reliability2-", "reliability"),
        ("start_time", "start"),
        ("value", "value"),
        ("reliability", "reliability"),
    ],
)
def test_an_order_is_the_sort_that_it_means(
    terminal: Terminal, market: Market, typed: str, sort: str
) -> None:
    assert terminal.berth("offers", "-o", typed).code == 0
    assert market.seen[-1].query["sort"] == sort


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("dph-", "Write dph."),
        ("dlperf_usd", "Write dlperf_usd-."),
        ("num_gpus,total_flops-", "--sort value"),
        ("score", "--sort value"),
    ],
)
def test_another_order_says_what_to_write(
    terminal: Terminal, market: Market, typed: str, said: str
) -> None:
    ran = terminal.berth("offers", "--order", typed, "--json")
    assert (ran.code, ran.problem["code"]) == (2, "usage")
    assert said in ran.problem["detail"]
    assert market.seen == []


def test_a_log_in_says_how_the_key_before_it_is_ended(terminal: Terminal) -> None:
    del terminal.environment["BERTH_API_KEY"]
    log_in = ("login", "--email", "a@b.c", "--password-stdin")
    terminal.berth(*log_in, stdin=f"{PASSWORD}\n")
    kept = terminal.home / ".config/berth/config.toml"
    # The same key again replaces nothing.
    assert terminal.berth(*log_in, "--json", stdin=f"{PASSWORD}\n").json["replaced_key"] is None
    kept.write_text(kept.read_text(encoding="utf-8").replace(API_KEY, OLD), encoding="utf-8")
    ran = terminal.berth(*log_in, stdin=f"{PASSWORD}\n")
    assert "To end it: berth api-keys rm brt_of_ano" in ran.err
    assert OLD not in ran.err
    kept.write_text(kept.read_text(encoding="utf-8").replace(API_KEY, OLD), encoding="utf-8")
    told = terminal.berth(*log_in, "--json", stdin=f"{PASSWORD}\n").json
    assert told["replaced_key"] == "brt_of_ano"
