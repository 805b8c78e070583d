"""This will sign and verify with a machine's own ed25519 key, which is also its SSH host key."""

import base64
import hashlib
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

#: a raw 32-byte ed25519 public key in lower-case hex
MachineKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: a 64-byte ed25519 signature in lower-case hex
Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: points of order 1, 2, 4 and 8, sign bit cleared: nobody has their secret, yet everybody can make
#: signatures that OpenSSL accepts for them. Source: libsodium, ge25519_has_small_order, 2026-11
SMALL_ORDER_KEYS = frozenset(
    {
        bytes(32),
        bytes([1]) + bytes(31),
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        *(bytes([first]) + b"\xff" * 30 + b"\x7f" for first in (0xEC, 0xED, 0xEE)),
    }
)


def public_key_of(private: Ed25519PrivateKey) -> str:
    """Return the public half in hex."""
    return private.public_key().public_bytes_raw().hex()


def sign(private: Ed25519PrivateKey, content: bytes) -> str:
    """Return the signature over ``content`` in hex."""
    return private.sign(content).hex()


def verify(machine_key: str, content: bytes, signature: str) -> bool:
    """Say whether ``machine_key`` signed ``content`` so; a malformed signature is False."""
    try:
        raw = bytes.fromhex(machine_key)
        if has_small_order(raw):
            return False
        key = Ed25519PublicKey.from_public_bytes(raw)
        key.verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def has_small_order(raw: bytes) -> bool:
    """Say whether a raw public key is one that everybody can sign for."""
    return len(raw) == 32 and raw[:31] + bytes([raw[31] & 0x7F]) in SMALL_ORDER_KEYS


def openssh_public_key(machine_key: str) -> str:
    """Return ``ssh-ed25519 AAAA...``, the same key as OpenSSH writes it."""
    kind = b"ssh-ed25519"
    blob = _ssh_string(kind) + _ssh_string(bytes.fromhex(machine_key))
    return f"{kind.decode()} {base64.b64encode(blob).decode()}"


def machine_key_of(openssh: str) -> str:
    """Return the hex key inside an ``ssh-ed25519 AAAA... [comment]`` line.

    :raises ValueError: when the line holds no ed25519 public key.
    """
    parts = openssh.split()
    if len(parts) < 2 or parts[0] != "ssh-ed25519":
        raise ValueError("This is not an ssh-ed25519 public key.")
    blob = base64.b64decode(parts[1], validate=True)
    if len(blob) != 51:
        raise ValueError("This is not an ssh-ed25519 public key.")
    return blob[-32:].hex()


def request_bytes(*, method: str, path: str, sender: str, sent_at_ms: int, body: bytes) -> bytes:
    """Return the text that a machine signs for one HTTP request."""
    digest = hashlib.sha256(body).hexdigest()
    return request_text(
        method=method, path=path, sender=sender, sent_at_ms=sent_at_ms, digest=digest
    )


def request_text(*, method: str, path: str, sender: str, sent_at_ms: int, digest: str) -> bytes:
    """Return the same where the body is known by its sha256 only: it may be larger than memory."""
    return f"berth-agent/1\n{method}\n{path}\n{sender}\n{sent_at_ms}\n{digest}".encode()


def _ssh_string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
