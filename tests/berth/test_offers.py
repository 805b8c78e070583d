"""What is for rent, in a terminal."""

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
