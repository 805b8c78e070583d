"""This will run ``berth`` in processes of its own against a loopback marketplace."""

import csv
import json
import socket
import stat
import uuid
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from berth.cli.app import app
from protocol.signing import openssh_public_key, public_key_of
from tests.berth.market import API_KEY, DOOR, MACHINE, PASSWORD, Fault, Market, Refusal, offer
from tests.berth.terminal import Terminal

UP = ("up", "--cheapest", "--image", "debian:12", "--lease", "1h", "--json")
PUBLIC_KEY = openssh_public_key(public_key_of(DOOR)) + " alice@laptop"
FAKE_SSH = '#!/bin/sh\nfor one in "$@"; do printf "%s\\n" "$one"; done\nexit 7\n'


def test_logging_in_keeps_the_key_in_a_private_file(terminal: Terminal) -> None:
    del terminal.environment["BERTH_API_KEY"]
    ran = terminal.berth("login", "--email", "a@b.c", "--password-stdin", stdin=f"{PASSWORD}\n")
    path = terminal.home / ".config/berth/config.toml"
    assert (ran.code, ran.err) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert API_KEY in path.read_text(encoding="utf-8")
    assert API_KEY not in ran.out + ran.err
    assert terminal.berth("balance", "--json").json["email"] == "alice@example.com"
    assert "$0.50 until 2026-04-01 00:00:00 UTC" in terminal.berth("balance").out


def test_a_wrong_password_keeps_nothing(terminal: Terminal) -> None:
    ran = terminal.berth("login", "--email", "a@b.c", "--password-stdin", "--json", stdin="no\n")
    assert (ran.code, ran.problem["code"]) == (1, "unauthenticated")
    assert not (terminal.home / ".config").exists()


def test_a_second_step_is_given_with_the_password(terminal: Terminal, market: Market) -> None:
    market.code = "123456"
    log_in = ("login", "--email", "a@b.c", "--password-stdin", "--json")
    without = terminal.berth(*log_in, stdin=f"{PASSWORD}\n")
    assert (without.code, without.problem["code"]) == (1, "code_required")
    wrong = terminal.berth(*log_in, "--code", "654321", stdin=f"{PASSWORD}\n")
    assert (wrong.code, wrong.problem["code"]) == (1, "wrong_code")
    assert terminal.berth(*log_in, "--code", "123456", stdin=f"{PASSWORD}\n").code == 0


def test_a_key_is_made_for_no_more_than_it_is_for(terminal: Terminal, market: Market) -> None:
    wish = ("--scope", "rentals:write", "--scope", "money:read", "--lasts", "12h")
    log_in = ("login", "--email", "a@b.c", *wish)
    assert terminal.berth(*log_in, "--password-stdin", stdin=f"{PASSWORD}\n").code == 0
    asked = next(seen.body for seen in market.seen if seen.path == "/auth/key")
    assert asked["scopes"] == ["rentals:write", "money:read"]
    assert asked["expires_at"].endswith("+00:00")
    refused = terminal.berth("login", "--api-key-stdin", *wish, stdin=f"{API_KEY}\n")
    assert "stays as it was made" in refused.err


def test_one_rental_from_rent_to_forgotten(terminal: Terminal, market: Market) -> None:
    key = terminal.home / "id_ed25519.pub"
    key.write_text(PUBLIC_KEY, encoding="utf-8")
    identity = terminal.home / "id_ed25519"
    identity.write_text("private", encoding="utf-8")
    ran = terminal.berth(*UP, "--wait", "--key", str(identity), "--env", "A=b=c")
    rental = ran.json
    assert (ran.code, ran.err, rental["state"]) == (0, "", "active")
    assert rental["offer_id"] == "offer-b"
    asked = next(seen.body for seen in market.seen if seen.path == "/rentals")
    assert (asked["lease_s"], asked["ssh_key_ids"], asked["environment"]) == (
        3600,
        [1],
        {"A": "b=c"},
    )
    assert "private" not in json.dumps([seen.body for seen in market.seen])

    assert rental["id"][:8] in terminal.berth("ps").out
    assert rental["id"] in terminal.berth("ps", rental["id"][:8]).out
    terminal.program("ssh", FAKE_SSH)
    ran = terminal.berth("ssh", rental["id"][:8], "--", "nproc", "--all")
    words = ran.out.splitlines()
    assert (ran.code, ran.err) == (7, "")
    assert words[-5:] == ["-l", "root", "--", "127.0.0.1", "nproc --all"]
    assert words[words.index("-i") + 1] == str(identity)
    known_hosts = terminal.home / ".config/berth/rentals" / rental["id"] / "known_hosts"
    assert f"UserKnownHostsFile={known_hosts}" in words
    assert known_hosts.read_text(encoding="utf-8").split(" ", 1)[1].strip() == PUBLIC_KEY[:-13]

    ran = terminal.berth("ssh", rental["id"][:8], "-l", "1234", "--print")
    assert ran.out.endswith("-l 1234 -- 127.0.0.1\n")
    assert f"{PUBLIC_KEY[:-13]} (SHA256:" in ran.err
    ran = terminal.berth("ssh", rental["id"][:8], "--login=-oProxyCommand=id", "--print")
    assert (ran.code, ran.out) == (1, "")

    refused = terminal.berth("rm", rental["id"], "--json")
    assert (refused.code, refused.problem["code"]) == (1, "rental_live")
    assert terminal.berth("end", rental["id"], "--wait", "--json").json["state"] == "ended"
    assert terminal.berth("rm", rental["id"]).code == 0
    assert market.rentals == {}
    assert not known_hosts.exists()


@pytest.mark.parametrize(
    "code",
    ["insufficient_funds", "ssh_key_missing", "image_unknown", "bid_below_floor", "term_too_long"],
)
def test_a_refusal_is_one_sentence_and_rents_nothing(
    terminal: Terminal, market: Market, code: str
) -> None:
    market.refusals["RENT", "offer-a"] = Refusal(409, code, "A plain sentence.")
    words = ("up", "offer-a", "--image", "i", "--cap", "2.50")
    ran = terminal.berth(*words, "--json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.problem == {"status": 409, "code": code, "detail": "A plain sentence."}
    told = "Offer offer-a costs $0.04 an hour, $2.50 at most.\n"
    told += f"berth: A plain sentence. [{code}]\n"
    assert terminal.berth(*words).err == told
    assert market.rentals == {}


def test_cheapest_goes_on_to_the_next_when_one_is_taken(terminal: Terminal, market: Market) -> None:
    market.offers += [offer("unverified", 1, verified=False), offer("full", 2, cpus_free=0)]
    market.refusals["RENT", "offer-b"] = Refusal(409, "offer_taken", "Somebody was faster.")
    assert terminal.berth(*UP).json["offer_id"] == "offer-a"


@pytest.mark.parametrize("fault", [Fault(status=504), Fault(drop=True)])
def test_cheapest_rents_no_other_offer_while_the_first_may_be_rented(
    terminal: Terminal, market: Market, fault: Fault
) -> None:
    market.refusals["RENT", "offer-b"] = Refusal(409, "offer_taken", "Somebody was faster.")
    # Two pages of offers, then the lost answer.
    market.faults.extend([None, None, fault])
    ran = terminal.berth(*UP)
    assert (ran.code, ran.problem["code"]) == (1, "offer_taken")
    assert "It may have been rented all the same: see berth ps." in ran.problem["detail"]
    asked = [one for one in market.seen if one.method == "POST"]
    assert {one.body["offer_id"] for one in asked} == {"offer-b"}
    assert len({one.headers["idempotency-key"] for one in asked}) == 1
    assert market.rentals == {}


def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    terminal: Terminal, market: Market
) -> None:
    market.faults.extend([None, None, Fault(drop=True)])
    assert terminal.berth(*UP).json["offer_id"] == "offer-b"
    assert len(market.rentals) == 1


def test_no_answer_at_all_leaves_it_in_doubt(terminal: Terminal, market: Market) -> None:
    market.faults.extend([None, None, *[Fault(status=504)] * 3])
    ran = terminal.berth(*UP)
    assert ran.code == 1
    assert ran.problem["detail"].endswith("see berth ps.")


def test_a_price_raised_after_it_was_shown_is_refused(terminal: Terminal, market: Market) -> None:
    market.raised_by = 1
    words = ("up", "offer-a", "--image", "i", "--cap", "2.50")
    ran = terminal.berth(*words, "--json")
    assert (ran.code, ran.problem["code"]) == (1, "price_raised")
    assert market.rentals == {}


def test_the_highest_price_can_be_named(terminal: Terminal, market: Market) -> None:
    words = ("up", "offer-a", "--image", "i", "--cap", "2.50", "--cpus", "2", "--json")
    ran = terminal.berth(*words, "--price-max", "0.079999")
    assert (ran.code, ran.problem["code"]) == (1, "price_raised")
    assert terminal.berth(*words, "--price-max", "0.08").code == 0
    assert market.seen[-1].body["price_hour_microusd_max"] == 80_000


def test_cheapest_goes_on_when_a_price_rose(terminal: Terminal, market: Market) -> None:
    market.refusals["RENT", "offer-b"] = Refusal(409, "price_raised", "It costs more.")
    assert terminal.berth(*UP).json["offer_id"] == "offer-a"


@pytest.mark.parametrize(("words", "rented"), [((), "true"), (("--gpus", "1"), "false")])
def test_cheapest_looks_among_fully_rented_machines_only_for_no_gpu(
    terminal: Terminal, market: Market, words: tuple[str, ...], rented: str
) -> None:
    terminal.berth(*UP, *words)
    pages = [one.query["rented"] for one in market.seen if one.path == "/offers"]
    assert set(pages) == {rented}


def test_cheapest_without_room_says_so(terminal: Terminal, market: Market) -> None:
    ran = terminal.berth(*UP, "--disk", "1TiB")
    assert (ran.code, ran.problem["code"]) == (1, "no_offer")


def test_a_rental_that_fails_while_we_wait_is_a_refusal(terminal: Terminal, market: Market) -> None:
    market.script, market.failure = ["preparing", "failed"], "No image nope:1: manifest unknown."
    ran = terminal.berth(*UP, "--wait")
    assert (ran.code, ran.problem["code"]) == (1, "rental_failed")
    assert "nope:1: manifest unknown" in ran.problem["detail"]


@pytest.mark.parametrize(
    "words",
    [
        ("up", "--image", "i", "--lease", "1h"),
        ("up", "offer-a", "--sort", "value", "--image", "i", "--lease", "1h"),
        ("up", "offer-a", "--image", "i"),
        ("up", "offer-a", "--image", "i", "--lease", "1h", "--ram", "lots"),
        ("up", "offer-a", "--image", "i", "--lease", "soon"),
        ("up", "offer-a", "--image", "i", "--cap", "-1"),
        ("up", "offer-a", "--image", "i", "--lease", "1h", "--env", "novalue"),
        ("extend", "x"),
        ("ssh",),
        ("nonsense",),
        ("offers", "--sort", "colour"),
    ],
)
def test_what_is_typed_wrongly_exits_2_and_asks_nobody(market: Market, words: tuple[str]) -> None:
    ran = CliRunner().invoke(app, [*words, "--json"])
    assert ran.exit_code == 2
    assert json.loads(ran.stderr)["code"] == "usage"
    assert ran.stdout == ""
    assert market.seen == []


def test_no_marketplace_exits_3(terminal: Terminal) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        terminal.environment["BERTH_URL"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ran = terminal.berth("offers", "--json")
    assert (ran.code, ran.out, ran.problem["code"]) == (3, "", "cannot_reach")


def test_without_a_key_the_person_is_told_to_log_in(terminal: Terminal, market: Market) -> None:
    del terminal.environment["BERTH_API_KEY"]
    ran = terminal.berth("ps")
    assert (ran.code, market.seen) == (1, [])
    assert "berth login" in ran.err


def test_what_a_rental_uses_is_shown_in_words_that_steer_no_terminal(
    terminal: Terminal, market: Market
) -> None:
    rental = terminal.berth(*UP).json
    shown = terminal.berth("usage", rental["id"][:8]).out
    for words in ("1.50 cores", "2 GiB of 8 GiB", "2 MiB/s in, 1 KiB/s out", "93 % busy, 5 GiB"):
        assert words in shown
    assert "A process [2J was ended. (2 times) [most likely: renter]" in shown
    assert terminal.berth("usage", rental["id"], "--json").json["points"][0]["cpu_milli"] == 1500


def test_what_happened_to_a_rental_is_read_page_by_page(terminal: Terminal, market: Market) -> None:
    rental = market.add_rental()
    shown = terminal.berth("events", rental["id"]).out
    assert "It was idle [2J for 30 min." in shown
    assert shown.index("Its stop was asked for.") < shown.index("It was rented.")
    ran = terminal.berth("events", rental["id"], "--limit", "1", "--json").json
    assert [one["event"] for one in ran["items"]] == ["stop"]


def test_receipts_are_saved_and_checked_offline(terminal: Terminal, market: Market) -> None:
    rental = market.add_rental()
    file = terminal.home / "receipts.json"
    ran = terminal.berth("receipts", rental["id"], "--verify", "--out", str(file), "--json")
    assert ran.json["proof"]["proven_ms"] == 3000
    assert len(ran.json["intervals"]) == 3
    held = terminal.berth("receipts", rental["id"], "--verify").out
    assert held.startswith("The receipts hold")
    words = " ".join(held.split())
    assert "nobody vouched for: name the one that must have signed with --machine-key" in words
    pinned = ("--machine-key", public_key_of(MACHINE))
    assert "vouched" not in terminal.berth("receipts", rental["id"], "--verify", *pinned).out
    assert terminal.berth("receipts", rental["id"]).out.count("…") == 3
    terminal.environment["BERTH_URL"] = "http://127.0.0.1:1"
    assert terminal.berth("verify-receipt", str(file), "--json").json["intervals"] == 3
    content = json.loads(file.read_text(encoding="utf-8"))
    content["intervals"][1]["interval"]["to_age_ms"] += 1
    spoilt = terminal.berth("verify-receipt", "-", "--json", stdin=json.dumps(content))
    assert (spoilt.code, spoilt.out, spoilt.problem["code"]) == (1, "", "receipts_broken")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"placement_id": str(uuid.uuid4())}, "receipts_broken"),
        ({"ended_at": "2026-01-01T00:00:01Z"}, "receipts_overbilled"),
    ],
)
def test_receipts_must_be_of_the_rental_and_fit_its_time(
    terminal: Terminal, market: Market, changed: dict[str, str], code: str
) -> None:
    rental = market.add_rental(**changed)
    ran = terminal.berth("receipts", rental["id"], "--verify", "--json")
    assert (ran.code, ran.problem["code"]) == (1, code)


def test_ssh_before_there_is_a_door_is_refused(terminal: Terminal, market: Market) -> None:
    market.script = []
    ran = terminal.berth("ssh", market.add_rental()["id"], "--json")
    assert (ran.code, ran.problem["code"]) == (1, "not_ready")


def test_an_unknown_or_ambiguous_rental_is_refused(terminal: Terminal, market: Market) -> None:
    assert terminal.berth("end", "zzz", "--json").problem["code"] == "not_found"
    for tail in "12":
        market.add_rental(id=f"abcd000{tail}")
    assert terminal.berth("end", "abcd", "--json").problem["code"] == "ambiguous"


def test_keys_are_added_listed_and_removed(terminal: Terminal, market: Market) -> None:
    path = terminal.home / "work.pub"
    path.write_text(PUBLIC_KEY, encoding="utf-8")
    assert terminal.berth("keys", "add", str(path), "--json").json["name"] == "work"
    assert "work" in terminal.berth("keys").out
    assert len(terminal.berth("keys", "list", "--json").json["items"]) == 1
    assert terminal.berth("keys", "rm", "work").code == 0
    assert market.keys == []


def test_some_keys_or_all_open_a_rental_from_now_on(terminal: Terminal, market: Market) -> None:
    rental_id = str(market.add_rental(state="active", script=[])["id"])
    for name in ("work", "home"):
        path = terminal.home / f"{name}.pub"
        path.write_text(PUBLIC_KEY, encoding="utf-8")
        assert terminal.berth("keys", "add", str(path)).code == 0
    use = ("keys", "use", rental_id[:8])
    assert terminal.berth(*use, "home", "--json").json["ssh_keys"] == ["SHA256:1"]
    assert "2 of your keys open" in terminal.berth(*use).out
    assert terminal.berth(*use, "lost").code == 1


def test_a_private_key_is_never_sent(terminal: Terminal, market: Market) -> None:
    path = terminal.home / "id"
    path.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", encoding="utf-8")
    ran = terminal.berth("keys", "add", str(path), "--json")
    assert (ran.code, ran.problem["code"], market.seen) == (1, "ssh_key_malformed", [])


def test_a_statement_is_written_for_spreadsheets(terminal: Terminal) -> None:
    head, *rows = csv.reader(StringIO(terminal.berth("statement", "--csv").out))
    assert head[3:] == ["amount_usd", "total_usd", "note"]
    assert [row[2:5] for row in rows] == [
        ["charge", "-0.000013", "9.500000"],
        ["top_up", "9.500013", "9.500013"],
    ]
    assert rows[0][5].startswith("Job c05b85eb: rental")
    assert "Job c05b85eb: rental" in terminal.berth("statement").out


def test_what_others_wrote_cannot_drive_the_terminal(terminal: Terminal) -> None:
    ran = terminal.berth("statement")
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "-$0.000013" in ran.out
    # It is on the second page.
    assert "$9.500013" in ran.out


def test_money_is_added_and_a_rental_extended(terminal: Terminal, market: Market) -> None:
    assert terminal.berth("topup", "25", "--json").json["state"] == "paid"
    assert market.seen[-1].body == {"amount_microusd": 25_000_000}
    rental = market.add_rental()
    assert terminal.berth("extend", rental["id"], "--cap", "5").code == 0
    assert market.seen[-1].body == {"cap_microusd": 5_000_000}


def test_a_bid_is_changed_and_says_which_bids_win(terminal: Terminal, market: Market) -> None:
    rental = market.add_rental(bid_microusd=20_000)
    told = terminal.berth("bid", rental["id"][:8], "0.022")
    assert market.seen[-1].body == {"bid_microusd": 22_000}
    assert "$0.022; bids from $0.021 win now" in told.out
    assert terminal.berth("bid", rental["id"][:8], "much").code == 2


def test_a_refused_payment_is_a_refusal(terminal: Terminal, market: Market) -> None:
    market.payment = {"state": "refused", "reason": "The card was declined."}
    ran = terminal.berth("topup", "5", "--json")
    assert (ran.code, ran.out, ran.problem["code"]) == (1, "", "payment_refused")
    market.refusals["POST", "/top-ups"] = Refusal(409, "card_needed", "Save a card first.")
    assert terminal.berth("topup", "5").err == (
        "berth: Save a card first. Run: berth card save [card_needed]\n"
    )
    market.told[("GET", "/teams")] = [{"id": 7, "name": "My lab", "role": "owner", "scopes": []}]
    told = terminal.berth("--team", "my lab", "topup", "5").err
    assert "Run: berth --team 'my lab' card save" in told


def test_tables_are_whole_where_no_terminal_says_a_width(
    terminal: Terminal, market: Market
) -> None:
    rental = market.add_rental(image="registry.example/" + "a" * 40)
    assert Path(rental["image"]).name in terminal.berth("ps").out
