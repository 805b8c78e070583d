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


def public_key_of(private: Ed25519PrivateKey) -> str:
    """Return the public half in hex."""
    return private.public_key().public_bytes_raw().hex()


def sign(private: Ed25519PrivateKey, content: bytes) -> str:
    """Return the signature over ``content`` in hex."""
    return private.sign(content).hex()


def verify(machine_key: str, content: bytes, signature: str) -> bool:
    """Say whether ``signature`` over ``content`` was made by ``machine_key``; malformed is False."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(machine_key))
        key.verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


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
    return f"berth-agent/1\n{method}\n{path}\n{sender}\n{sent_at_ms}\n{digest}".encode()


def _ssh_string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
