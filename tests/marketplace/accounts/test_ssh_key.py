"""A pasted key is either one that OpenSSH accepts, or a sentence says what is wrong with it."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from marketplace.accounts.ssh_key import SshKeyMalformed, parse


def line_of(public: PublicKeyTypes) -> str:
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def token_line(kind: str, *fields: bytes) -> str:
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()}"


ED25519 = line_of(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key())


@pytest.mark.parametrize(
    "line",
    [
        ED25519,
        line_of(ec.generate_private_key(ec.SECP256R1()).public_key()),
        line_of(ec.generate_private_key(ec.SECP384R1()).public_key()),
        line_of(ec.generate_private_key(ec.SECP521R1()).public_key()),
        line_of(rsa.generate_private_key(65537, 2048).public_key()),
    ],
    ids=["ed25519", "nistp256", "nistp384", "nistp521", "rsa-2048"],
)
def test_a_key_is_accepted_with_the_fingerprint_that_openssh_prints(
    line: str, tmp_path: Path
) -> None:
    file = tmp_path / "key.pub"
    file.write_text(line)
    printed = subprocess.run(
        ["ssh-keygen", "-lf", file], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert parse(line).fingerprint == printed.split()[1]


@pytest.mark.parametrize(
    "line",
    [
        token_line("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
        token_line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", bytes(65), b"ssh:"),
    ],
)
def test_a_key_in_a_hardware_token_is_accepted(line: str) -> None:
    assert parse(f"{line} token").line == line


@pytest.mark.parametrize(
    "line",
    [
        token_line("sk-ssh-ed25519@openssh.com", bytes(31), b"ssh:"),
        token_line("sk-ssh-ed25519@openssh.com", bytes(32)),
        token_line("sk-ecdsa-sha2-nistp256@openssh.com", bytes(65), b"nistp256", b"ssh:"),
    ],
)
def test_a_damaged_token_key_is_refused(line: str) -> None:
    with pytest.raises(SshKeyMalformed, match="damaged"):
        parse(line)


def test_blanks_and_the_comment_are_taken_off() -> None:
    parsed = parse(f"  {ED25519} alice at home\n")
    assert (parsed.line, parsed.comment) == (ED25519, "alice at home")
    hidden = parse(f"{ED25519} ada@\x1b[2Jlap\u202etop\u200b")
    assert (hidden.line, hidden.comment) == (ED25519, "ada@[2Jlaptop")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not an SSH public key"),
        ("hello world", "not an SSH public key"),
        ("ssh-ed25519", "not an SSH public key"),
        ("ssh-ed25519 !!!!", "damaged"),
        (ED25519[:-8], "damaged"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa"), "it is no ssh-rsa"),
        (f"{ED25519}\n{ED25519}", "more than one line"),
        (f"{ED25519}\rssh-ed25519", "more than one line"),
        (f'command="rm -rf /" {ED25519}', "not an SSH public key"),
        (f"{ED25519} {'x' * 2000}", "at most 2000"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "private key: never give it"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"),
        (token_line("ssh-dss", bytes(128)), "no longer safe"),
    ],
)
def test_anything_else_is_refused_with_a_sentence_that_helps(text: str, sentence: str) -> None:
    with pytest.raises(SshKeyMalformed, match=sentence) as refusal:
        parse(text)
    assert refusal.value.code == "ssh_key_malformed"


def test_a_short_rsa_key_is_refused() -> None:
    line = line_of(rsa.generate_private_key(65537, 1024).public_key())
    with pytest.raises(SshKeyMalformed, match="has 1024 bits; at least 2048"):
        parse(line)


@given(st.text(max_size=300) | st.text(max_size=200).map(lambda tail: f"ssh-ed25519 {tail}"))
def test_no_text_gets_through_or_breaks_the_parser(text: str) -> None:
    with pytest.raises(SshKeyMalformed):
        parse(text)
