"""A name stands wherever an id does, and where it may mean two nothing is done."""

import pytest

from tests.berth.market import Market
from tests.berth.terminal import Terminal

OTHER = "0b000000-0000-4000-8000-000000000000"


@pytest.fixture
def named(market: Market) -> str:
    """Return the id of a rental with a name that runs."""
    made: str = market.add_rental(name="train", state="active", script=[])["id"]
    return made


def test_a_rental_is_named_as_it_is_rented_and_renamed(terminal: Terminal, market: Market) -> None:
    up = ("up", "offer-b", "--image", "debian:12", "--lease", "1h", "--name", "train", "--json")
    made = terminal.berth(*up).json
    assert made["name"] == market.seen[-1].body["name"] == "train"
    assert "train" in terminal.berth("ps").out
    ran = terminal.berth("rename", "train", "other", "--json")
    assert (ran.json["id"], ran.json["name"]) == (made["id"], "other")
    assert market.seen[-1].body == {"name": "other"}
    assert terminal.berth("rename", "other", "--json").json["name"] == ""
    assert "NAME" not in terminal.berth("ps").out


def test_a_name_is_taken_for_its_id_where_the_beginning_of_an_id_is(
    terminal: Terminal, market: Market, named: str
) -> None:
    assert terminal.berth("stop", "train", "--json").json["id"] == named
    asked = next(one for one in market.seen if one.path == "/rentals")
    assert asked.query == {"state": "all", "q": "train"}
    # What is over is meant only where nothing else is.
    market.add_rental(id=OTHER, name="train", state="ended", script=[])
    assert terminal.berth("ps", "train", "--json").json["id"] == named
    market.rentals.pop(named)
    assert terminal.berth("ps", "train", "--json").json["id"] == OTHER


def test_a_file_is_copied_from_a_rental_by_its_name(terminal: Terminal, market: Market) -> None:
    for name in ("train", "my train"):
        up = ("up", "--cheapest", "--image", "debian:12", "--lease", "1h", "--name", name)
        made = terminal.berth(*up, "--wait", "--json").json
        ran = terminal.berth("cp", f"{name}:/data/a:b", "here", "--json")
        assert (ran.code, ran.err) == (0, "")
        assert ran.json["argv"][-2:] == ["127.0.0.1:/data/a:b", "./here"]
        assert f"HostKeyAlias=berth-{made['id']}" in ran.json["argv"]


def test_a_name_of_two_or_the_beginning_of_another_id_is_refused_with_the_ids(
    terminal: Terminal, market: Market, named: str
) -> None:
    market.add_rental(id=OTHER, name="train", state="active", script=[])
    for typed, other in (("train", "train"), ("0b", "0b")):
        market.rentals[named]["name"] = typed
        market.rentals[OTHER]["name"] = other if typed == "train" else ""
        ran = terminal.berth("end", typed, "--json")
        assert ran.problem["code"] == "ambiguous"
        assert named[:8] in ran.problem["detail"]
        assert "0b000000" in ran.problem["detail"]
    assert not [one for one in market.seen if one.method == "POST"]


def test_no_name_and_one_that_none_can_have_are_nobodys(
    terminal: Terminal, market: Market, named: str
) -> None:
    for typed in ("", "x" * 61, "trai"):
        assert terminal.berth("end", typed, "--json").problem["code"] == "not_found", typed


def test_rentals_are_listed_by_state_and_text(terminal: Terminal, market: Market) -> None:
    terminal.berth("ps", "--state", "stopped")
    terminal.berth("ps", "--search", "tra")
    assert [one.query for one in market.seen] == [
        {"state": "stopped"},
        {"state": "all", "q": "tra"},
    ]
