"""This will make what a validator logs in with: a fresh key and a certificate for one machine.

The registered key signs and is never shown to a machine as a log-in. Who steals what a look used
has minutes, at one machine. Source: OpenSSH, PROTOCOL.certkeys, read 2026-11-21.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
)

#: before and after now: so far may a machine's clock and ours be apart. A log-in takes seconds
VALID_S = 300
KEY_ID = b"berth validator"


@dataclass(frozen=True, slots=True)
class Credential:
    """OpenSSH texts: a private key, never logged, and its certificate."""

    private_key: str
    certificate: str


def make(signing_key: str, *, machine_key: str, now_s: int) -> Credential:
    """Return a credential that only the machine with this key lets in, and only about now.

    ``signing_key`` is OpenSSH text. No extension is given: no terminal, no forwarding.

    :raises ValueError: when ``signing_key`` is no ed25519 key.
    """
    signing = _read(signing_key)
    key = Ed25519PrivateKey.generate()
    certificate = (
        SSHCertificateBuilder()
        .public_key(key.public_key())
        .type(SSHCertificateType.USER)
        .key_id(KEY_ID)
        .valid_principals([machine_key.encode()])
        .valid_after(now_s - VALID_S)
        .valid_before(now_s + VALID_S)
        .sign(signing)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return Credential(private.decode(), certificate.public_bytes().decode())


def maker(signing_key: str, *, now_s: Callable[[], int]) -> Callable[[str], Credential]:
    """Return what makes a credential for the machine with a key, by this clock."""
    return lambda machine_key: make(signing_key, machine_key=machine_key, now_s=now_s())


@lru_cache(maxsize=4)
def _read(text: str) -> Ed25519PrivateKey:
    key = load_ssh_private_key(text.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("The signing key must be an ed25519 key.")
    return key
