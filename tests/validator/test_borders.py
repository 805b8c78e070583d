"""What is let in from outside: lines, addresses, settings, keys."""

import json
import os
from pathlib import Path

import bittensor_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.validator.builders import ALICE
from validator.domain.address import AddressRefused, check
from validator.domain.json_line import LineRefused, parse_object
from validator.domain.weights import Burn
from validator.env import Configuration, SettingWrong, read
from validator.identity import IdentityMissing, load, load_hotkey


@given(st.binary(max_size=300))
def test_no_line_whatever_does_anything_but_parse_or_be_refused(line: bytes) -> None:
    try:
        parse_object(line, bytes_max=200)
    except LineRefused:
        return
    assert isinstance(json.loads(line), dict)


def test_a_line_is_measured_before_it_is_parsed() -> None:
    assert parse_object(b'{"a":1}', bytes_max=7) == {"a": 1}
    with pytest.raises(LineRefused, match="longer"):
        parse_object(b'{"a":1}', bytes_max=6)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"a":' * 9 + b"1" + b"}" * 9, "deep"),
        (b'{"a":' + b"[" * 60_000 + b"]" * 60_000 + b"}", "deep"),
        (b'{"a":[[[[[[[[0]]]]]]]]}', "deep"),
        (b'{"a":' + b"1" * 21 + b"}", "digits"),
        (b'{"a":-' + b"9" * 5_000 + b"}", "digits"),
        (b'{"a":1e5}', "integer"),
        (b'{"a":-0.0}', "integer"),
        (b'{"a":NaN}', "integer"),
        (b'{"a":-Infinity}', "integer"),
        (b'{"a":1,"a":1}', "repeats"),
        (b'{"b":{"a":1,"\\u0061":2}}', "repeats"),
        (b'{"a":1,"a\\u0000":2}', "printable"),
        (b'{"\\u202ea":1}', "printable"),
        (b'{"a":"\\ud800"}\n{"b":1}', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b"", "not JSON"),
        (b'"a"', "object"),
    ],
)
def test_a_hostile_line_is_refused_with_the_reason(line: bytes, why: str) -> None:
    with pytest.raises(LineRefused, match=why):
        parse_object(line, bytes_max=1_000_000)


def test_a_line_may_nest_as_deep_as_the_protocol_and_hold_any_64_bits() -> None:
    line = b'{"a":' * 8 + b"-18446744073709551615"[1:] + b"}" * 8
    assert parse_object(line, bytes_max=1_000)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\x1b[31mb\x1b]8;;x\x07", "a[31mb]8;;x"),
        ("a\u202e\u2066\u200fb", "ab"),
        ("<b onload=x>&amp;", "b onload=x&amp;"),
        ("\r\nlog line\x85\x9b", "log line"),
        ("\ud800\U0001f600\x00\x7f~ ", "~ "),
    ],
)
def test_a_text_is_left_without_what_acts_on_whoever_shows_it(text: str, left: str) -> None:
    line = json.dumps({"a": text, "b": [{"c": text}]}).encode()
    assert parse_object(line, bytes_max=1_000) == {"a": left, "b": [{"c": left}]}


def test_texts_are_cut_at_every_depth() -> None:
    line = json.dumps({"a": {"b": ["x" * 500, True, None]}}).encode()
    assert parse_object(line, bytes_max=1_000) == {"a": {"b": ["x" * 128, True, None]}}


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text())))
def test_only_printable_text_is_left_of_any_object(content: dict[str, object]) -> None:
    try:
        cleaned = parse_object(json.dumps(content).encode(), bytes_max=1_000_000)
    except LineRefused:
        return
    assert all(" " <= character <= "~" for name in cleaned for character in name)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
        "fec0::1",
    ],
)
def test_private_addresses_are_visited_only_when_allowed(address: str) -> None:
    with pytest.raises(AddressRefused):
        check(address, allow_private=False)
    assert check(address, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("224.0.0.1", "0.0.0.0", "240.0.0.1", "ff02::1", "::", "x", "127.1", "0x7f000001"),
        *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "::127.0.0.1", "fe80::1%eth0", "2600::1%1"),
    ],
)
def test_what_can_be_no_machine_is_never_visited(address: str) -> None:
    with pytest.raises(AddressRefused):
        check(address, allow_private=True)


def test_public_addresses_are_visited() -> None:
    assert check("8.8.8.8", allow_private=False) == "8.8.8.8"
    assert check("2001:4860:4860::8888", allow_private=False) == "2001:4860:4860::8888"


def test_without_any_variable_the_defaults_hold() -> None:
    assert read({}) == Configuration()


def test_every_variable_is_read() -> None:
    found = read(
        {
            "BERTH_MARKETPLACE_URL": "https://m.example/",
            "BERTH_VALIDATOR_HOTKEY_SEED": "//Alice",
            "BERTH_VALIDATOR_HOTKEY_FILE": "/h",
            "BERTH_VALIDATOR_SSH_KEY": "/k",
            "BERTH_VALIDATOR_ALLOW_PRIVATE": "1",
            "BERTH_VALIDATOR_PROOF_MEMORY_BYTES": "7",
            "BERTH_VALIDATOR_MACHINES_AT_ONCE": "3",
            "BERTH_VALIDATOR_LOOK_PROCESSES": "4",
            "BERTH_VALIDATOR_INTERVAL_S": "9",
            "BERTH_VALIDATOR_NETWORK": "finney",
            "BERTH_VALIDATOR_NETUID": "51",
            "BERTH_MEMORY_CHAIN": "/c",
            "BERTH_VALIDATOR_BURN_TO": "4",
            "BERTH_VALIDATOR_BURN_SHARE_PPM": "800000",
            "BERTH_VALIDATOR_BURN_WHEN_NOBODY": "1",
            "BERTH_VALIDATOR_VERSION_KEY": "12",
        }
    )
    assert found == Configuration(
        marketplace_url="https://m.example",
        hotkey_seed="//Alice",
        hotkey_file=Path("/h"),
        ssh_key_file=Path("/k"),
        allow_private=True,
        proof_memory_bytes_max=7,
        machines_at_once=3,
        look_processes=4,
        list_interval_s=9,
        network="finney",
        netuid=51,
        memory_chain_file=Path("/c"),
        burn=Burn("4", 800_000, when_nobody=True),
        version_key=12,
    )


@pytest.mark.parametrize(
    "name",
    [
        "BERTH_VALIDATOR_ALLOW_PRIVATE",
        "BERTH_VALIDATOR_NETUID",
        "BERTH_VALIDATOR_BURN_SHARE_PPM",
    ],
)
def test_a_wrong_setting_is_named(name: str) -> None:
    with pytest.raises(SettingWrong, match=name):
        read({name: "-2x"})


def test_a_burn_share_above_everything_is_refused() -> None:
    with pytest.raises(SettingWrong, match="1000000"):
        read({"BERTH_VALIDATOR_BURN_SHARE_PPM": "1000001"})


def test_an_ssh_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "ssh_key"
    configuration = Configuration(hotkey_seed="//Alice", ssh_key_file=file)
    first, second = load(configuration), load(configuration)
    assert first.ssh_public_key == second.ssh_public_key
    assert first.ssh_public_key.startswith("ssh-ed25519 ")
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(file.parent) == ["ssh_key"]
    assert first.hotkey == ALICE


SEED = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"
PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"


@pytest.mark.parametrize(
    ("content", "address"),
    [
        ("//Alice\n", ALICE),
        (json.dumps({"secretSeed": "0x" + SEED}), ALICE),
        (
            json.dumps({"secretPhrase": PHRASE}),
            bittensor_core.Keypair.create_from_mnemonic(PHRASE).ss58_address,
        ),
    ],
)
def test_a_hotkey_file_of_each_kind_is_read(tmp_path: Path, content: str, address: str) -> None:
    file = tmp_path / "hotkey"
    file.write_text(content)
    keypair = load_hotkey(Configuration(hotkey_file=file))
    assert keypair.ss58_address == address


@pytest.mark.parametrize("content", ["{}", "{broken", '{"secretSeed": "0xzz"}'])
def test_a_hotkey_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "hotkey"
    file.write_text(content)
    with pytest.raises(IdentityMissing):
        load_hotkey(Configuration(hotkey_file=file))


def test_a_missing_hotkey_says_which_variable_to_set() -> None:
    with pytest.raises(IdentityMissing, match="BERTH_VALIDATOR_HOTKEY_FILE"):
        load_hotkey(Configuration())


def test_an_ssh_key_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ssh_key"
    file.write_text("nonsense")
    with pytest.raises(IdentityMissing):
        load(Configuration(hotkey_seed="//Alice", ssh_key_file=file))
