"""Stopping, starting and changing from the terminal, and what an `up` asks to run."""

import json
from pathlib import Path

import pytest

from tests.berth.market import PASSWORD, Market, Refusal
from tests.berth.terminal import Terminal

UP = ("up", "offer-a", "--image", "debian:12", "--lease", "1h", "--json")


@pytest.fixture
def rental_id(market: Market) -> str:
    return str(market.add_rental(state="active", script=[])["id"])


def asked(market: Market, path: str) -> object:
    return next(seen.body for seen in reversed(market.seen) if seen.path == path)


def test_what_shall_run_is_asked_for_as_it_was_typed(terminal: Terminal, market: Market) -> None:
    terminal.environment["BERTH_REGISTRY_PASSWORD"] = "open sesame"
    more = ("--port", "8080", "-p", "9090", "--volume", "data:/data:2GiB", "-v", "old:/old")
    what = ("--command", "serve --name 'a b'", "--runtime", "runsc", "--registry-user", "alice")
    assert terminal.berth(*UP, *more, *what).code == 0
    body = asked(market, "/rentals")
    assert isinstance(body, dict)
    assert (body["ports"], body["command"]) == ([8080, 9090], ["serve", "--name", "a b"])
    assert body["volumes"] == [
        {"name": "data", "path": "/data", "size_bytes": 2 << 30},
        {"name": "old", "path": "/old", "size_bytes": None},
    ]
    assert body["registry_login"] == {"username": "alice", "password": "open sesame"}
    assert body["runtime"] == "runsc"


@pytest.mark.parametrize(
    "typed",
    [
        ("--volume", "data"),
        ("--volume", "data:relative:1GiB"),
        ("--volume", "data:/data:"),
        ("--command", "'open"),
        ("--port", "0"),
        ("--env", "A"),
    ],
)
def test_what_makes_no_sense_asks_nobody(
    terminal: Terminal, market: Market, typed: tuple[str, ...]
) -> None:
    assert terminal.berth(*UP, *typed).code == 2
    assert market.seen == []


def test_a_rental_is_stopped_and_started(terminal: Terminal, rental_id: str) -> None:
    assert terminal.berth("stop", rental_id, "--wait", "--json").json["state"] == "stopped"
    assert "stopped" in terminal.berth("ps").out
    assert terminal.berth("start", rental_id, "--wait", "--json").json["state"] == "active"


@pytest.mark.parametrize("verb", ["restart", "reset"])
def test_a_restart_and_a_reset_are_asked_for_once(
    terminal: Terminal, market: Market, rental_id: str, verb: str
) -> None:
    assert terminal.berth(verb, rental_id[:8], "--json").json["progress"] == verb
    assert len([one for one in market.seen if one.path.endswith(f"/{verb}")]) == 1


def test_a_change_names_only_what_was_typed(
    terminal: Terminal, market: Market, rental_id: str
) -> None:
    ran = terminal.berth("change", rental_id, "--image", "debian:13", "--port", "80", "--wait")
    assert ran.code == 0
    assert asked(market, f"/rentals/{rental_id}") is None
    body = next(one.body for one in market.seen if one.method == "PATCH")
    assert body == {"image": "debian:13", "ports": [80]}
    market.rentals[rental_id]["ports"] = [
        {"inside": 80, "host": "203.0.113.7", "outside": 20002},
        {"inside": 81, "host": "203.0.113.7", "outside": None},
    ]
    shown = terminal.berth("ps", rental_id).out
    assert "80 at 203.0.113.7:20002, 81" in shown


def test_a_change_that_was_not_made_says_why(
    terminal: Terminal, market: Market, rental_id: str
) -> None:
    market.failure = "The registry has no such image."
    ran = terminal.berth("change", rental_id, "--image", "gone:1", "--wait")
    assert "not made: The registry has no such image. What ran before goes on." in ran.out
    assert terminal.berth("change", rental_id).code == 2


def test_a_script_takes_the_commands_place(
    terminal: Terminal, market: Market, rental_id: str, tmp_path: Path
) -> None:
    script = tmp_path / "start.sh"
    script.write_text("echo 'a'\nexec serve\n")
    assert terminal.berth("change", rental_id, "--on-start", str(script)).code == 0
    body = next(one.body for one in market.seen if one.method == "PATCH")
    assert body == {"command": ["/bin/sh", "-c", "echo 'a'\nexec serve\n"]}
    asked_for = len(market.seen)
    both = terminal.berth("change", rental_id, "--on-start", str(script), "--command", "serve")
    assert "--command or --on-start" in both.err
    for wrong in (b"x" * 4097, b"\xff"):
        script.write_bytes(wrong)
        assert terminal.berth("change", rental_id, "--on-start", str(script)).code == 2
    assert len(market.seen) == asked_for


def test_volumes_are_listed_and_deleted_by_name(terminal: Terminal, market: Market) -> None:
    assert "You have no volume." in terminal.berth("volumes").out
    market.volumes = [
        {
            "id": f"{number}-id",
            "name": name,
            "size_bytes": 1 << 30,
            "machine_id": "m",
            "state": "ready",
            "in_use": number == 1,
        }
        for number, name in enumerate(("data", "data", "models"))
    ]
    assert "ready, in use" in terminal.berth("volumes").out
    assert len(terminal.berth("volumes", "--json").json["items"]) == 3
    assert terminal.berth("volumes", "rm", "data", "--json").problem["code"] == "ambiguous"
    assert terminal.berth("volumes", "rm", "none", "--json").problem["code"] == "not_found"
    assert "models is being deleted" in terminal.berth("volumes", "rm", "models").out
    assert terminal.berth("volumes", "rm", "1-id", "--json").json["state"] == "deleting"
    assert json.dumps(market.volumes).count("deleting") == 2


def test_a_rental_is_stopped_when_idle_or_no_more(terminal: Terminal, market: Market) -> None:
    assert terminal.berth(*UP, "--idle-below", "9").code == 2
    rental = terminal.berth(*UP, "--idle-stop", "30m", "--idle-below", "9").json
    assert rental["idle_rule"] == {"after_s": 1800, "below_percent": 9, "idle_since": None}
    told = terminal.berth("idle", rental["id"][:8], "1h")
    assert "after 1 h below 5 %" in told.out
    assert terminal.berth("idle", rental["id"], "1h", "--off").code == 2
    assert terminal.berth("idle", rental["id"]).code == 2
    assert "Stops idle" not in terminal.berth("idle", rental["id"], "--off").out
    assert market.rentals[rental["id"]]["idle_rule"] is None

    market.idle_refusal = Refusal(422, "invalid", "Ten minutes at least.")
    rented = terminal.berth(*UP, "--idle-stop", "1m")
    assert (rented.code, rented.json["idle_rule"], len(market.rentals)) == (0, None, 2)
    assert "without its idle rule: Ten minutes at least." in rented.err


def test_spend_limits_are_shown_set_and_taken_off(terminal: Terminal, market: Market) -> None:
    assert "no limit" in terminal.berth("limits").out
    assert "$2.50 of $10.00" in terminal.berth("limits", "--day", "10").out
    terminal.berth("limits", "--month", "100")
    assert market.limits == {"day_microusd": 10_000_000, "month_microusd": 100_000_000}
    assert terminal.berth("limits", "--no-day", "--json").json["day_microusd"] is None
    assert market.limits == {"day_microusd": None, "month_microusd": 100_000_000}
    assert terminal.berth("limits", "--day", "1", "--no-day").code == 2
    login = ("login", "--email", "a@b.c", "--password-stdin", "--spend-limit", "25")
    assert terminal.berth(*login, stdin=f"{PASSWORD}\n").code == 0
    key = next(seen.body for seen in market.seen if seen.path == "/auth/key")
    assert key["spend_limit_microusd"] == 25_000_000


def test_waiting_goes_on_with_what_took_a_failed_rentals_place(
    terminal: Terminal, market: Market
) -> None:
    successor = terminal.berth(*UP, "--wait").json["id"]
    market.script = ["preparing", "failed"]
    market.failover = {"settled": True, "successor_id": successor}
    ran = terminal.berth(*UP, "--failover", "0.5", "--wait")
    assert (ran.code, ran.json["id"], ran.json["state"]) == (0, successor, "active")
    body = asked(market, "/rentals")
    assert isinstance(body, dict)
    assert body["failover_price_hour_microusd_max"] == 500_000


def test_waiting_ends_where_nothing_could_take_its_place(
    terminal: Terminal, market: Market
) -> None:
    market.script = ["preparing", "failed"]
    market.failover = {"settled": True, "problem_code": "no_offer"}
    ran = terminal.berth(*UP, "--failover", "0.5", "--wait")
    assert (ran.code, ran.problem["code"]) == (1, "rental_failed")
