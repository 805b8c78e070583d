"""Any command acts for a team that is named, and for nobody else."""

from tests.berth.market import Market
from tests.berth.terminal import Terminal

TEAMS = [
    {"id": 7, "name": "Acme\x1b[2J", "role": "owner", "scopes": ["rentals:write"]},
    {"id": 8, "name": "Lab", "role": "member", "scopes": []},
    {"id": 9, "name": "lab", "role": "member", "scopes": []},
]


def named(market: Market, path: str) -> list[str | None]:
    """Return what the header said of each call to this path."""
    return [one.headers.get("berth-team") for one in market.seen if one.path == path]


def test_teams_are_listed_with_what_one_is_in_them(terminal: Terminal, market: Market) -> None:
    market.told[("GET", "/teams")] = TEAMS
    ran = terminal.berth("--team", "8", "teams")
    assert ran.code == 0
    assert "\x1b" not in ran.out
    for words in ("7", "owner", "Lab", "member"):
        assert words in ran.out
    # The list is one's own, whomever one acts for.
    assert named(market, "/teams") == [None]
    assert terminal.berth("teams", "--json").json["items"][1]["name"] == "Lab"


def test_a_team_is_named_by_number_by_name_and_by_the_environment(
    terminal: Terminal, market: Market
) -> None:
    market.told[("GET", "/teams")] = [{**TEAMS[0], "name": "Acme"}, *TEAMS[1:]]
    told = {"email": "a@example.com", "team": "Acme", "balance_microusd": 1, "held_microusd": 0}
    market.told[("GET", "/me")] = told
    assert terminal.berth("--team", "7", "balance").code == 0
    shown = terminal.berth("--team", "acme", "balance")
    assert "Acme, by a@example.com" in shown.out
    terminal.environment["BERTH_TEAM"] = "Acme"
    terminal.berth("balance")
    terminal.berth("--team", "", "balance")
    assert named(market, "/me") == ["7", "7", "7", None]


def test_a_name_that_is_none_or_of_two_is_refused(terminal: Terminal, market: Market) -> None:
    market.told[("GET", "/teams")] = TEAMS
    for typed, code in (("Nobody", "team_unknown"), ("Lab", "ambiguous")):
        ran = terminal.berth("--team", typed, "balance", "--json")
        assert (ran.code, ran.problem["code"]) == (1, code)
    assert named(market, "/me") == []
