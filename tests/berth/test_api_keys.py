"""API keys are listed and revoked in a terminal, and logging out forgets this computer's own."""

from typing import Any

import pytest

from tests.berth.market import API_KEY, PASSWORD, Market, Refusal
from tests.berth.terminal import Terminal

MADE = "2026-03-01T12:00:00Z"
LAPTOP: dict[str, Any] = {
    "id": "0b1d2c3e-0000-4000-8000-000000000001",
    "name": "lap\x1b[2Jtop",
    "prefix": "brt_abcd",
    "scopes": [],
    "spend_limit_microusd": None,
    "spend_counted_microusd": None,
    "created_at": MADE,
    "expires_at": None,
    "last_used_at": MADE,
    "current": True,
}
ROBOT = LAPTOP | {
    "id": "1c1d2c3e-0000-4000-8000-000000000002",
    "name": "robot",
    "prefix": "brt_efgh",
    "scopes": ["rentals:write"],
    "spend_limit_microusd": 5_000_000,
    "spend_counted_microusd": 1_200_000,
    "expires_at": "2026-04-01T12:00:00Z",
    "last_used_at": None,
    "current": False,
}


@pytest.fixture
def logged_in(terminal: Terminal, market: Market) -> Terminal:
    del terminal.environment["BERTH_API_KEY"]
    given = ("login", "--email", "a@b.c", "--password-stdin")
    assert terminal.berth(*given, stdin=f"{PASSWORD}\n").code == 0
    market.seen.clear()
    return terminal


def kept(terminal: Terminal) -> str:
    return (terminal.home / ".config/berth/config.toml").read_text(encoding="utf-8")


def test_keys_are_listed_with_what_they_may(terminal: Terminal, market: Market) -> None:
    market.told["GET", "/api-keys"] = [LAPTOP, ROBOT]
    ran = terminal.berth("api-keys")
    assert (ran.code, ran.err) == (0, "")
    for words in ("everything", "this one", "rentals:write", "$1.20 of $5.00", "never", "brt_efgh"):
        assert words in ran.out
    assert "\x1b" not in ran.out
    assert terminal.berth("api-keys", "--json").json == {"items": [LAPTOP, ROBOT]}


@pytest.mark.parametrize("typed", ["robot", "1c1d", "brt_efgh", ROBOT["id"]])
def test_a_key_is_revoked_by_what_is_seen_of_it(
    terminal: Terminal, market: Market, typed: str
) -> None:
    market.told["GET", "/api-keys"] = [LAPTOP, ROBOT]
    market.told["DELETE", f"/api-keys/{ROBOT['id']}"] = None
    assert "Revoked robot" in terminal.berth("api-keys", "rm", typed).out
    assert (market.seen[-1].method, market.seen[-1].path) == ("DELETE", f"/api-keys/{ROBOT['id']}")


@pytest.mark.parametrize(("typed", "code"), [("nobody", "not_found"), ("robot", "ambiguous")])
def test_what_means_no_key_or_several_revokes_none(
    terminal: Terminal, market: Market, typed: str, code: str
) -> None:
    market.told["GET", "/api-keys"] = [ROBOT, ROBOT | {"id": LAPTOP["id"]}]
    ran = terminal.berth("api-keys", "rm", typed, "--json")
    assert (ran.code, ran.problem["code"]) == (1, code)
    assert {seen.method for seen in market.seen} == {"GET"}


def test_logging_out_revokes_the_key_and_forgets_it(logged_in: Terminal, market: Market) -> None:
    market.told["DELETE", "/me/key"] = None
    assert API_KEY in kept(logged_in)
    ran = logged_in.berth("logout")
    assert (ran.code, ran.err) == (0, "")
    assert "revoked and forgotten" in ran.out
    assert [(one.method, one.path) for one in market.seen] == [("DELETE", "/me/key")]
    assert API_KEY not in kept(logged_in)
    assert "berth login" in logged_in.berth("ps").err
    ran = logged_in.berth("logout", "--json")
    assert (ran.code, ran.problem["code"]) == (1, "unauthenticated")


def test_a_key_that_opens_nothing_any_more_is_forgotten_too(
    logged_in: Terminal, market: Market
) -> None:
    refusal = Refusal(401, "unauthenticated", "This API key is not known.")
    market.refusals["DELETE", "/me/key"] = refusal
    assert logged_in.berth("logout", "--json").json["revoked"] is False
    assert API_KEY not in kept(logged_in)


def test_a_key_that_may_still_open_something_is_kept(logged_in: Terminal, market: Market) -> None:
    market.refusals["DELETE", "/me/key"] = Refusal(500, "failed", "Something went wrong.")
    assert logged_in.berth("logout").code == 1
    assert API_KEY in kept(logged_in)


def test_a_key_of_the_environment_is_not_taken_for_the_one_that_is_kept(
    logged_in: Terminal, market: Market
) -> None:
    logged_in.environment["BERTH_API_KEY"] = "brt_another"
    ran = logged_in.berth("logout")
    assert (ran.code, market.seen) == (1, [])
    assert "BERTH_API_KEY names another key" in ran.err
    assert API_KEY in kept(logged_in)
