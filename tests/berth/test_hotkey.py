"""A host names the hotkey that earns for a machine; only a text of our own is ever signed."""

import bittensor_core
import pytest

from protocol import hotkey as hotkeys
from tests.berth.market import Market
from tests.berth.terminal import Terminal

MINER = bittensor_core.Keypair.create_from_uri("//Miner")
MACHINE = "0b1d2c3e-0000-4000-8000-000000000001"
KEY = "ab" * 32


@pytest.fixture(autouse=True)
def machines(market: Market) -> None:
    market.machines = [
        {"id": MACHINE, "machine_key": KEY, "miner_hotkey": ""},
        {"id": "1" + MACHINE[1:], "machine_key": "cd" * 32, "miner_hotkey": ""},
    ]


@pytest.fixture
def key_file(terminal: Terminal) -> str:
    (terminal.home / "hotkey").write_text("//Miner")
    return str(terminal.home / "hotkey")


@pytest.mark.parametrize("machine", [MACHINE[:4], KEY])
def test_a_hotkey_s_file_signs_here_and_stays_here(
    terminal: Terminal, market: Market, key_file: str, machine: str
) -> None:
    ran = terminal.berth("hotkey", machine, "--key", key_file)
    assert (ran.code, ran.err) == (0, "")
    assert f"{MINER.ss58_address} earns for machine 0b1d2c3e now." in ran.out
    body = market.seen[-1].body
    text = terminal.berth("hotkey", machine, "--address", MINER.ss58_address, "--json").json["text"]
    assert hotkeys.verify(MINER.ss58_address, text.encode(), body["signature"])
    assert set(body) == {"hotkey", "signed_at", "signature"}
    assert market.machines[0]["miner_hotkey"] == MINER.ss58_address


def test_a_signature_made_elsewhere_is_handed_in(terminal: Terminal, market: Market) -> None:
    address = ("hotkey", MACHINE, "--address", MINER.ss58_address)
    shown = terminal.berth(*address)
    assert shown.out.splitlines()[0] == "berth-hotkey/1"
    assert f"machine: {KEY}" in shown.out.splitlines()
    assert "--signed-at 2026-03-01T12:00:00Z" in shown.err
    signed = ("--signed-at", "2026-03-01T12:00:00Z", "--signature", "0x" + "ab" * 64)
    assert terminal.berth(*address, *signed).code == 0
    assert market.seen[-1].body == {
        "hotkey": MINER.ss58_address,
        "signed_at": "2026-03-01T12:00:00+00:00",
        "signature": "0x" + "ab" * 64,
    }


@pytest.mark.parametrize(
    "says",
    [
        {"marketplace": "https://other.example"},
        {"account": "mallory@example.com"},
        {"hotkey": "5Other\nbtauth/1"},
    ],
)
def test_a_marketplace_does_not_choose_what_a_hotkey_signs(
    terminal: Terminal, market: Market, key_file: str, says: dict[str, str]
) -> None:
    market.consent_says = says
    ran = terminal.berth("hotkey", MACHINE, "--key", key_file, "--json")
    assert (ran.code, ran.problem["code"]) == (1, "consent_strange")
    assert [seen.path for seen in market.seen if seen.method == "POST"] == []


def test_a_file_that_is_no_hotkey_is_named_and_not_shown(terminal: Terminal) -> None:
    (terminal.home / "hotkey").write_text("twelve secret words that are none")
    ran = terminal.berth("hotkey", MACHINE, "--key", str(terminal.home / "hotkey"))
    assert ran.code == 1
    assert "key_unreadable" in ran.err
    assert "twelve" not in ran.err


@pytest.mark.parametrize(
    "typed",
    [
        (),
        ("--key", "x", "--signature", "ab"),
        ("--address", "5F", "--signed-at", "2026-03-01T12:00:00Z"),
    ],
)
def test_half_a_consent_asks_nobody(
    terminal: Terminal, market: Market, typed: tuple[str, ...]
) -> None:
    assert terminal.berth("hotkey", MACHINE, *typed).code == 2
    assert market.seen == []


def test_a_machine_of_somebody_else_is_not_found(terminal: Terminal, key_file: str) -> None:
    other = "9" + MACHINE[1:]
    assert "not_found" in terminal.berth("hotkey", other, "--key", key_file).err
