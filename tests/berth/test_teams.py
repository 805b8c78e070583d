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


def test_who_is_in_a_team_is_listed_and_changed(terminal: Terminal, market: Market) -> None:
    since = "2026-03-01T12:00:00Z"
    bob = {"id": 4, "email": "Bob@example.com", "role": "member", "since": since}
    invitation = {
        "id": "8b9c1f0e-5d1c-4d7b-9a30-0c6de4b1a111",
        "team_id": 8,
        "team": "Lab",
        "email": "new@example.com",
        "role": "billing",
        "by": "a@example.com",
        "expires_at": since,
    }
    one = f"/invitations/{invitation['id']}"
    market.told |= {
        ("GET", "/teams"): [{**TEAMS[1], "name": "Lab"}],
        ("GET", "/teams/8/members"): [bob],
        ("PATCH", "/teams/8/members/4"): {**bob, "role": "owner"},
        ("DELETE", "/teams/8/members/4"): None,
        ("POST", "/teams/8/leave"): None,
        ("GET", "/teams/8/invitations"): [invitation],
        ("POST", "/teams/8/invitations"): invitation,
        ("DELETE", f"/teams/8{one}"): None,
        ("GET", "/invitations"): [invitation],
        ("POST", f"{one}/accept"): TEAMS[1],
        ("POST", f"{one}/decline"): None,
    }
    for typed, words in (
        (("members", "lab"), "Bob@example.com"),
        (("role", "lab", "bob@EXAMPLE.com", "owner"), "Bob@example.com is owner now."),
        (("remove", "8", "4"), "Bob@example.com is out of it."),
        (("leave", "lab"), "You left Lab."),
        (("invitations", "lab"), "new@example.com"),
        (("invite", "lab", "new@example.com", "--role", "billing"), "is invited as billing"),
        (("take-back", "lab", "8b9c"), "It opens nothing any more."),
        (("invitations",), "Lab"),
        (("accept", "8b9c"), "You are member of Lab."),
        (("decline", "8b9c"), "It opens nothing any more."),
    ):
        ran = terminal.berth("--team", "9", "team", *typed)
        assert (ran.code, words in ran.out) == (0, True), (typed, ran.out, ran.err)
        told = terminal.berth("team", *typed, "--json")
        assert told.code == 0, (typed, told.err)
        assert told.json
    # All of it is one's own, whomever one acts for.
    assert {call.headers.get("berth-team") for call in market.seen} == {None}
    assert [call.body for call in market.seen if call.method == "PATCH"] == 2 * [{"role": "owner"}]


def test_who_and_what_is_not_there_is_refused_before_anything_is_changed(
    terminal: Terminal, market: Market
) -> None:
    market.told |= {
        ("GET", "/teams"): TEAMS,
        ("GET", "/teams/8/members"): [],
        ("GET", "/teams/8/invitations"): [],
        ("GET", "/invitations"): [],
    }
    for typed, code in (
        (("remove", "8", "nobody@example.com"), "not_found"),
        (("role", "8", "5", "owner"), "not_found"),
        (("accept", "8b9c"), "not_found"),
        (("leave", "lab"), "ambiguous"),
        (("leave", "Strangers"), "team_unknown"),
    ):
        ran = terminal.berth("team", *typed, "--json")
        assert (ran.code, ran.problem["code"]) == (1, code)
    # What is said to be looked at is of that team.
    for typed, see in (
        (("remove", "8", "nobody"), "berth team members 8"),
        (("take-back", "8", "8b9c"), "berth team invitations 8"),
    ):
        assert see in terminal.berth("team", *typed).err
    assert {call.method for call in market.seen} == {"GET"}
