"""Signatures: only the key that signed verifies, and only over the very same bytes."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from protocol import hotkey, signing
from protocol.validator import COMMANDS

SEEDS = st.binary(min_size=32, max_size=32)
ALICE = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
BOB = Ed25519PrivateKey.from_private_bytes(b"b" * 32)


@given(seed=SEEDS, content=st.binary(max_size=200))
def test_what_a_key_signs_verifies(seed: bytes, content: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)

    assert signing.verify(signing.public_key_of(private), content, signing.sign(private, content))


@given(content=st.binary(min_size=1, max_size=100), place=st.integers(0), bit=st.integers(0, 7))
def test_one_changed_bit_of_content_or_signature_is_noticed(
    content: bytes, place: int, bit: int
) -> None:
    key, signature = signing.public_key_of(ALICE), signing.sign(ALICE, content)

    assert not signing.verify(key, flipped(content, place, bit), signature)
    assert not signing.verify(key, content, flipped(bytes.fromhex(signature), place, bit).hex())


def test_another_machine_s_key_does_not_verify() -> None:
    assert not signing.verify(signing.public_key_of(BOB), b"x", signing.sign(ALICE, b"x"))


@pytest.mark.parametrize(
    ("machine_key", "signature"),
    [("", ""), ("zz", "00"), ("00" * 31, "00" * 64), ("00" * 32, "00" * 64), ("ff" * 32, "")],
)
def test_malformed_keys_and_signatures_are_false_and_no_error(
    machine_key: str, signature: str
) -> None:
    assert signing.verify(machine_key, b"x", signature) is False


@pytest.mark.parametrize("sign_bit", [0, 0x80])
@pytest.mark.parametrize("raw", sorted(signing.SMALL_ORDER_KEYS), ids=bytes.hex)
def test_a_key_that_everybody_can_sign_for_verifies_nothing(raw: bytes, sign_bit: int) -> None:
    key = (raw[:31] + bytes([raw[31] | sign_bit])).hex()
    forged = (bytes([1]) + bytes(63)).hex()

    assert not any(signing.verify(key, b"%d" % number, forged) for number in range(64))


def test_the_library_alone_would_accept_such_a_forgery() -> None:
    raw = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")

    assert any(library_accepts(raw, b"%d" % number) for number in range(64))


def library_accepts(raw: bytes, content: bytes) -> bool:
    """Say whether the library takes the identity point and zero for a signature."""
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(bytes([1]) + bytes(63), content)
    except InvalidSignature:
        return False
    return True


@given(seed=SEEDS)
def test_a_key_survives_openssh_s_spelling(seed: bytes) -> None:
    machine_key = signing.public_key_of(Ed25519PrivateKey.from_private_bytes(seed))

    line = signing.openssh_public_key(machine_key)

    assert signing.machine_key_of(line) == machine_key
    assert signing.machine_key_of(f"{line} a comment") == machine_key


def test_openssh_itself_reads_the_spelling(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(signing.openssh_public_key(signing.public_key_of(ALICE)) + "\n")

    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(file)], capture_output=True, text=True, check=True
    )

    assert "(ED25519)" in shown.stdout


@pytest.mark.parametrize(
    "line",
    ["", "ssh-ed25519", "ssh-rsa AAAA", f"ssh-ed25519 {base64.b64encode(b'short').decode()}",
     "ssh-ed25519 !!!"],
)  # fmt: skip
def test_a_line_without_an_ed25519_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        signing.machine_key_of(line)


def request(**changes: object) -> bytes:
    """Return the signed text of one request, with some of it changed."""
    plain: dict[str, object] = {
        "method": "POST", "path": "/p", "sender": "00", "sent_at_ms": 1, "body": b"{}",
    }  # fmt: skip
    return signing.request_bytes(**(plain | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"method": "GET"}, {"path": "/q"}, {"sender": "01"}, {"sent_at_ms": 2}, {"body": b"{ }"}],
)
def test_every_part_of_a_request_is_signed(changes: dict[str, object]) -> None:
    assert request(**changes) != request()


def test_a_hotkey_verifies_its_own_signature_only() -> None:
    import bittensor_core

    alice = bittensor_core.Keypair.create_from_uri("//Alice")
    bob = bittensor_core.Keypair.create_from_uri("//Bob")
    signature = hotkey.sign(alice, b"x")

    assert hotkey.verify(str(alice.ss58_address), b"x", signature)
    assert not hotkey.verify(str(bob.ss58_address), b"x", signature)
    assert not hotkey.verify(str(alice.ss58_address), b"y", signature)
    assert not hotkey.verify(str(alice.ss58_address), b"x", "no hex")
    assert not hotkey.verify("no address", b"x", signature)


def test_a_machine_s_door_knows_three_words() -> None:
    assert COMMANDS == ("facts", "proof", "ping")


def flipped(content: bytes, place: int, bit: int) -> bytes:
    """Return the bytes with one bit changed."""
    changed = bytearray(content)
    changed[place % len(changed)] ^= 1 << bit
    return bytes(changed)
